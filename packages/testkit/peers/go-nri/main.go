// One end of NRI's multiplexed ttrpc, with NRI's own mux: serves the echo service on one connection, and calls it on the other.
//
//	go-nri plugin SOCKET   connects; serves on connection 1, calls on 2
//	go-nri runtime SOCKET  listens, for one connection; serves on 2, calls on 1
//
// The line "call" on its standard input makes it call, "large" with the largest messages; "done" or what failed is the answer.
// Ends when its standard input does.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/containerd/nri/pkg/net/multiplex"
	"github.com/containerd/ttrpc"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 || args[0] != "plugin" && args[0] != "runtime" {
		return errors.New("usage: go-nri plugin|runtime SOCKET")
	}
	trunk, err := open(args[0], args[1])
	if err != nil {
		return err
	}
	serves, calls := multiplex.PluginServiceConn, multiplex.RuntimeServiceConn
	if args[0] == "runtime" {
		serves, calls = calls, serves
	}
	mux := multiplex.Multiplex(trunk, multiplex.WithBlockedRead())
	defer mux.Close()
	listener, err := mux.Listen(serves)
	if err != nil {
		return err
	}
	conn, err := mux.Open(calls)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	testv1.RegisterEchoServiceService(server, echoService{})
	go func() { _ = server.Serve(context.Background(), listener) }()
	client := testv1.NewEchoServiceClient(ttrpc.NewClient(conn))
	mux.Unblock()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := call(ctx, client, lines.Text() == "large")
		cancel()
		if err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

func open(role, path string) (net.Conn, error) {
	if role == "plugin" {
		return net.Dial("unix", path)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	fmt.Println("listening")
	return listener.Accept()
}

func call(ctx context.Context, client testv1.EchoServiceClient, large bool) error {
	if large {
		payload := bytes.Repeat([]byte{3}, 4<<20-100)
		out, err := client.Echo(ctx, &testv1.EchoRequest{Payload: payload})
		if err == nil && !bytes.Equal(out.Payload, payload) {
			err = errors.New("the answer has other bytes")
		}
		return err
	}
	// As many as go into the mux's queue of 256 frames, as answers may wait there all at once.
	ended := make(chan error, 70)
	for i := range cap(ended) {
		go func() {
			text := fmt.Sprint("t", i)
			out, err := client.Echo(ctx, &testv1.EchoRequest{Text: text, Payload: make([]byte, 300*i)})
			if err == nil && out.Text != text {
				err = fmt.Errorf("%s came for %s", out.Text, text)
			}
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			return err
		}
	}
	stream, err := client.Split(ctx, &testv1.SplitRequest{Count: 50, Payload: make([]byte, 10_000)})
	if err != nil {
		return err
	}
	for count := 0; ; count++ {
		if _, err := stream.Recv(); err == io.EOF && count == 50 {
			return nil
		} else if err != nil {
			return fmt.Errorf("after %d messages: %w", count, err)
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
