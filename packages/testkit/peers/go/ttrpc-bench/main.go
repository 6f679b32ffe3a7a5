// One end of Go's ttrpc for the benchmark: told what to do by lines of JSON on its standard input, answers with lines of
// JSON. The case is given on the command line. Ends when its standard input does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

// benchCase is what the benchmark measures; the names are those of its own.
type benchCase struct {
	Kind     string `json:"kind"`
	Bytes    int    `json:"bytes"`
	InFlight int    `json:"inFlight"`
	Messages int    `json:"messages"`
	Full     bool   `json:"full"`
}

type request struct {
	Do         string `json:"do"`
	SocketPath string `json:"socketPath"`
	Ms         int    `json:"ms"`
	ServerPid  int    `json:"serverPid"`
}

type figures struct {
	PerSecond       float64 `json:"perSecond"`
	ClientCPUMicros float64 `json:"clientCpuMicros"`
	ServerCPUMicros float64 `json:"serverCpuMicros"`
	P50Micros       float64 `json:"p50Micros"`
	P99Micros       float64 `json:"p99Micros"`
}

type answer struct {
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"`
	Figures *figures `json:"figures,omitempty"`
}

func main() {
	var bench benchCase
	if err := json.Unmarshal([]byte(os.Args[1]), &bench); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output := json.NewEncoder(os.Stdout)
	_ = output.Encode(answer{OK: true})
	var client testv1.EchoServiceClient
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var asked request
		err := json.Unmarshal(lines.Bytes(), &asked)
		var result *figures
		if err == nil {
			switch asked.Do {
			case "serve":
				err = serve(asked.SocketPath, bench)
			case "connect":
				client, err = connect(asked.SocketPath, bench)
			default:
				result, err = measure(client, bench, asked)
			}
		}
		if err != nil {
			_ = output.Encode(answer{Error: err.Error()})
		} else {
			_ = output.Encode(answer{OK: true, Figures: result})
		}
	}
}

type echoService struct{ testv1.EchoServiceService }

func (echoService) Echo(_ context.Context, in *testv1.EchoRequest) (*testv1.EchoResponse, error) {
	return &testv1.EchoResponse{Text: in.Text, Payload: in.Payload, Number: in.Number}, nil
}

func (echoService) Split(_ context.Context, in *testv1.SplitRequest, stream testv1.EchoService_SplitServer) error {
	for i := range in.Count {
		if err := stream.Send(&testv1.EchoResponse{Payload: in.Payload, Number: int64(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (echoService) Join(_ context.Context, stream testv1.EchoService_JoinServer) (*testv1.EchoResponse, error) {
	for count := int64(0); ; count++ {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return &testv1.EchoResponse{Number: count}, nil
		} else if err != nil {
			return nil, err
		}
	}
}

func (echoService) Chat(_ context.Context, stream testv1.EchoService_ChatServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.Send(&testv1.EchoResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

func serve(path string, bench benchCase) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	var options []ttrpc.ServerOpt
	if bench.Full {
		options = append(options, ttrpc.WithUnaryServerInterceptor(
			func(ctx context.Context, u ttrpc.Unmarshaler, _ *ttrpc.UnaryServerInfo, method ttrpc.Method) (any, error) {
				return method(ctx, u)
			}))
	}
	server, err := ttrpc.NewServer(options...)
	if err != nil {
		return err
	}
	testv1.RegisterEchoServiceService(server, echoService{})
	go func() { _ = server.Serve(context.Background(), listener) }()
	return nil
}

func connect(path string, bench benchCase) (testv1.EchoServiceClient, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	var options []ttrpc.ClientOpts
	if bench.Full {
		options = append(options, ttrpc.WithUnaryClientInterceptor(
			func(ctx context.Context, in *ttrpc.Request, out *ttrpc.Response, _ *ttrpc.UnaryClientInfo, next ttrpc.Invoker) error {
				return next(ctx, in, out)
			}))
	}
	return testv1.NewEchoServiceClient(ttrpc.NewClient(conn, options...)), nil
}

// measure keeps the server busy for a while, with as many goroutines as there are calls in flight.
func measure(client testv1.EchoServiceClient, bench benchCase, asked request) (*figures, error) {
	payload := make([]byte, bench.Bytes)
	for i := range payload {
		payload[i] = byte(i)
	}
	clientBefore, serverBefore := cpuMicros(os.Getpid()), cpuMicros(asked.ServerPid)
	begin := time.Now()
	until := begin.Add(time.Duration(asked.Ms) * time.Millisecond)
	workers := bench.InFlight
	if bench.Kind != "unary" {
		workers = 1
	}
	var (
		wait      sync.WaitGroup
		lock      sync.Mutex
		total     int
		latencies []float64
		failed    error
	)
	for range workers {
		wait.Go(func() {
			var own []float64
			count := 0
			var err error
			for now := time.Now(); now.Before(until) && err == nil; now = time.Now() {
				var made int
				var first time.Time
				made, first, err = call(client, bench, payload)
				count += made
				own = append(own, float64(first.Sub(now).Nanoseconds())/1000)
			}
			lock.Lock()
			defer lock.Unlock()
			total += count
			latencies = append(latencies, own...)
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	seconds := time.Since(begin).Seconds()
	if failed != nil {
		return nil, failed
	}
	slices.Sort(latencies)
	part := func(share float64) float64 { return latencies[int(float64(len(latencies)-1)*share)] }
	return &figures{
		PerSecond:       float64(total) / seconds,
		ClientCPUMicros: (cpuMicros(os.Getpid()) - clientBefore) / float64(total),
		ServerCPUMicros: (cpuMicros(asked.ServerPid) - serverBefore) / float64(total),
		P50Micros:       part(0.5),
		P99Micros:       part(0.99),
	}, nil
}

// call makes one call to its end; gives how many messages it counts for, and when the first answer was there.
func call(client testv1.EchoServiceClient, bench benchCase, payload []byte) (int, time.Time, error) {
	ctx := context.Background()
	switch bench.Kind {
	case "unary":
		if bench.Full {
			deadline, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			ctx = ttrpc.WithMetadata(deadline, ttrpc.MD{"x-request-id": {"0123456789abcdef"}, "x-tenant": {"bench"}})
		}
		_, err := client.Echo(ctx, &testv1.EchoRequest{Payload: payload})
		return 1, time.Now(), err
	case "server-stream":
		stream, err := client.Split(ctx, &testv1.SplitRequest{Count: uint32(bench.Messages), Payload: payload})
		if err != nil {
			return 0, time.Time{}, err
		}
		return receiveAll(stream.Recv, bench.Messages)
	case "client-stream":
		stream, err := client.Join(ctx)
		if err != nil {
			return 0, time.Time{}, err
		}
		for range bench.Messages {
			if err := stream.Send(&testv1.EchoRequest{Payload: payload}); err != nil {
				return 0, time.Time{}, err
			}
		}
		reply, err := stream.CloseAndRecv()
		if err != nil {
			return 0, time.Time{}, err
		}
		return int(reply.Number), time.Now(), nil
	case "bidi-stream":
		stream, err := client.Chat(ctx)
		if err != nil {
			return 0, time.Time{}, err
		}
		go func() {
			for range bench.Messages {
				if stream.Send(&testv1.EchoRequest{Payload: payload}) != nil {
					return
				}
			}
			_ = stream.CloseSend()
		}()
		return receiveAll(stream.Recv, bench.Messages)
	}
	return 0, time.Time{}, fmt.Errorf("no kind of call is named %q", bench.Kind)
}

func receiveAll(receive func() (*testv1.EchoResponse, error), want int) (int, time.Time, error) {
	var first time.Time
	for count := 0; ; count++ {
		_, err := receive()
		if errors.Is(err, io.EOF) {
			if count != want {
				return count, first, fmt.Errorf("%d messages came of %d", count, want)
			}
			return count, first, nil
		} else if err != nil {
			return count, first, err
		}
		if count == 0 {
			first = time.Now()
		}
	}
}

// cpuMicros is the CPU time of a process with all its threads, as the kernel's scheduler counts it.
func cpuMicros(pid int) float64 {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	nanos := 0.0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		own, _ := strconv.ParseFloat(strings.SplitN(string(text), " ", 2)[0], 64)
		nanos += own
	}
	return nanos / 1000
}
