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
	"syscall"
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
	// How many connections share the calls.
	Connections int `json:"connections"`
}

type request struct {
	Do         string `json:"do"`
	SocketPath string `json:"socketPath"`
	Ms         int    `json:"ms"`
	ServerPid  int    `json:"serverPid"`
	Count      int    `json:"count"`
}

type figures struct {
	PerSecond       float64 `json:"perSecond"`
	ClientCPUMicros float64 `json:"clientCpuMicros"`
	ServerCPUMicros float64 `json:"serverCpuMicros"`
	P50Micros       float64 `json:"p50Micros"`
	P99Micros       float64 `json:"p99Micros"`
}

// memory is what a process holds, in bytes, with nothing in it that could be collected.
type memory struct {
	Heap int `json:"heap"`
	Rss  int `json:"rss"`
}

type answer struct {
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"`
	Figures *figures `json:"figures,omitempty"`
	Memory  *memory  `json:"memory,omitempty"`
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "call" {
		if err := callOnce(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var bench benchCase
	if err := json.Unmarshal([]byte(os.Args[1]), &bench); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output := json.NewEncoder(os.Stdout)
	_ = output.Encode(answer{OK: true})
	var clients []testv1.EchoServiceClient
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var asked request
		reply := answer{OK: true}
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			switch asked.Do {
			case "serve":
				err = serve(asked.SocketPath, bench)
			case "connect":
				clients, err = connect(asked.SocketPath, bench)
			case "run":
				reply.Figures, err = measure(clients, bench, asked)
			case "open":
				reply.Figures, err = open(clients[0], bench, asked)
			case "memory":
				reply.Memory, err = memoryInUse()
			default:
				err = fmt.Errorf("nothing is named %q", asked.Do)
			}
		}
		if err != nil {
			reply = answer{Error: err.Error()}
		}
		_ = output.Encode(reply)
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

// connect opens as many connections as the case has, one after the other.
func connect(path string, bench benchCase) ([]testv1.EchoServiceClient, error) {
	socketPath = path
	clients := make([]testv1.EchoServiceClient, max(1, bench.Connections))
	for i := range clients {
		var err error
		if clients[i], err = dial(path, bench); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

func dial(path string, bench benchCase) (testv1.EchoServiceClient, error) {
	conn, err := net.Dial("unix", path)
	// The listener's queue is full: it needs a moment.
	for ; errors.Is(err, syscall.EAGAIN); conn, err = net.Dial("unix", path) {
		time.Sleep(time.Millisecond)
	}
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
func measure(clients []testv1.EchoServiceClient, bench benchCase, asked request) (*figures, error) {
	payload := payloadOf(bench)
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
	for worker := range workers {
		client := clients[worker%len(clients)]
		wait.Go(func() {
			var own []float64
			count := 0
			var err error
			// At least one call, however late this goroutine comes: none would be no figures.
			for now := time.Now(); (count == 0 || now.Before(until)) && err == nil; now = time.Now() {
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
	cpu := [2]float64{cpuMicros(os.Getpid()) - clientBefore, cpuMicros(asked.ServerPid) - serverBefore}
	return sumUp(total, seconds, cpu, latencies), nil
}

func sumUp(total int, seconds float64, cpu [2]float64, latencies []float64) *figures {
	slices.Sort(latencies)
	part := func(share float64) float64 { return latencies[int(float64(len(latencies)-1)*share)] }
	return &figures{
		PerSecond:       float64(total) / seconds,
		ClientCPUMicros: cpu[0] / float64(total),
		ServerCPUMicros: cpu[1] / float64(total),
		P50Micros:       part(0.5),
		P99Micros:       part(0.99),
	}
}

func payloadOf(bench benchCase) []byte {
	payload := make([]byte, bench.Bytes)
	for i := range payload {
		payload[i] = byte(i)
	}
	return payload
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
