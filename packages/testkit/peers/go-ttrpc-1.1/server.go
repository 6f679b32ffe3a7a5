package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"time"

	"github.com/containerd/ttrpc"
	anypb "github.com/golang/protobuf/ptypes/any"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go-ttrpc-1.1/echo"
)

const service = "guestwire.test.v1.EchoService"

// serve prints "listening", and for each handler of Hang that begins "hanging".
func serve(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	server.Register(service, map[string]ttrpc.Method{
		"Echo": method(func(_ context.Context, in *testv1.EchoRequest) (proto.Message, error) {
			return &testv1.EchoResponse{Text: in.Text, Payload: in.Payload, Number: in.Number}, nil
		}),
		"Fail":    method(fail),
		"Inspect": method(inspect),
		"Hang":    method(hang),
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), listener) }()
	fmt.Println("listening")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "shutdown" {
			return fmt.Errorf("no command is named %q", lines.Text())
		}
		// Longer than the deadline of the call that a test leaves running.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := server.Shutdown(ctx)
		cancel()
		if err != nil {
			return err
		}
		if err := <-served; !errors.Is(err, ttrpc.ErrServerClosed) {
			return err
		}
		fmt.Println("shut down")
	}
	return nil
}

func method[In any, M interface {
	*In
	proto.Message
}](handle func(context.Context, M) (proto.Message, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		in := M(new(In))
		if err := unmarshal(wire{in}); err != nil {
			return nil, err
		}
		out, err := handle(ctx, in)
		return wire{out}, err
	}
}

func fail(_ context.Context, in *testv1.FailRequest) (proto.Message, error) {
	if in.Code == 0 {
		return nil, errors.New(in.Message)
	}
	failure := &status.Status{Code: in.Code, Message: in.Message}
	if in.Detail != "" {
		detail := &testv1.EchoRequest{Text: in.Detail}
		value, err := proto.Marshal(detail)
		if err != nil {
			return nil, err
		}
		name := string(detail.ProtoReflect().Descriptor().FullName())
		failure.Details = append(failure.Details, &anypb.Any{TypeUrl: "type.googleapis.com/" + name, Value: value})
	}
	return nil, grpcstatus.ErrorProto(failure)
}

func inspect(ctx context.Context, _ *emptypb.Empty) (proto.Message, error) {
	out := &testv1.InspectResponse{TimeRemainingMs: -1, PeerKind: "unix", Path: "/" + service + "/Inspect"}
	if deadline, ok := ctx.Deadline(); ok {
		out.TimeRemainingMs = float64(time.Until(deadline)) / float64(time.Millisecond)
	}
	metadata, _ := ttrpc.GetMetadata(ctx)
	for key, values := range metadata {
		for _, value := range values {
			out.Metadata = append(out.Metadata, &testv1.InspectResponse_Pair{Key: key, Value: value})
		}
	}
	sort.SliceStable(out.Metadata, func(i, j int) bool { return out.Metadata[i].Key < out.Metadata[j].Key })
	return out, nil
}

func hang(ctx context.Context, _ *emptypb.Empty) (proto.Message, error) {
	fmt.Println("hanging")
	<-ctx.Done()
	fmt.Println("let go")
	if ctx.Err() == context.DeadlineExceeded {
		return nil, grpcstatus.Error(codes.DeadlineExceeded, "too late")
	}
	return nil, ctx.Err()
}
