package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/containerd/ttrpc/integration/streaming"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

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
	testv1.RegisterEchoServiceService(server, echoService{})
	streaming.RegisterTTRPCStreamingService(server, streamingService{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), listener) }()
	fmt.Println("listening")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "shutdown" {
			return fmt.Errorf("no command is named %q", lines.Text())
		}
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

type echoService struct{}

func (echoService) Echo(_ context.Context, in *testv1.EchoRequest) (*testv1.EchoResponse, error) {
	return &testv1.EchoResponse{Text: in.Text, Payload: in.Payload, Number: in.Number}, nil
}

func (echoService) Split(_ context.Context, in *testv1.SplitRequest, stream testv1.EchoService_SplitServer) error {
	for i := range in.Count {
		if in.FailAfter > 0 && i == in.FailAfter {
			return status.Errorf(codes.DataLoss, "failed after %d", i)
		}
		if err := stream.Send(&testv1.EchoResponse{Payload: in.Payload, Number: int64(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (echoService) Join(_ context.Context, stream testv1.EchoService_JoinServer) (*testv1.EchoResponse, error) {
	out := &testv1.EchoResponse{}
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if in.Text == "refuse" {
			return nil, status.Error(codes.Aborted, "refused")
		}
		out.Number += in.Number
		out.Text += in.Text
		out.Payload = append(out.Payload, in.Payload...)
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
		if in.Text == "refuse" {
			return status.Error(codes.Aborted, "refused")
		}
		if err := stream.Send(&testv1.EchoResponse{Text: in.Text, Payload: in.Payload, Number: in.Number}); err != nil {
			return err
		}
	}
}

func (echoService) Fail(_ context.Context, in *testv1.FailRequest) (*emptypb.Empty, error) {
	if in.Code == 0 {
		return nil, errors.New(in.Message)
	}
	failure := status.New(codes.Code(in.Code), in.Message)
	if in.Detail != "" {
		detail, err := anypb.New(&testv1.EchoRequest{Text: in.Detail})
		if err != nil {
			return nil, err
		}
		message := failure.Proto()
		message.Details = append(message.Details, detail)
		failure = status.FromProto(message)
	}
	return nil, failure.Err()
}

func (echoService) Inspect(ctx context.Context, _ *emptypb.Empty) (*testv1.InspectResponse, error) {
	out := &testv1.InspectResponse{TimeRemainingMs: -1, PeerKind: "unix", Path: "/guestwire.test.v1.EchoService/Inspect"}
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

func (echoService) Hang(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	fmt.Println("hanging")
	<-ctx.Done()
	fmt.Println("let go")
	return nil, ctx.Err()
}

// The service of the library's own integration tests.
type streamingService struct{}

func (streamingService) Echo(_ context.Context, in *streaming.EchoPayload) (*streaming.EchoPayload, error) {
	in.Seq++
	return in, nil
}

func (streamingService) EchoStream(_ context.Context, stream streaming.TTRPCStreaming_EchoStreamServer) error {
	return each(stream.Recv, func(in *streaming.EchoPayload) error {
		in.Seq++
		return stream.Send(in)
	})
}

func (streamingService) SumStream(_ context.Context, stream streaming.TTRPCStreaming_SumStreamServer) (*streaming.Sum, error) {
	sum := &streaming.Sum{}
	err := each(stream.Recv, func(part *streaming.Part) error {
		sum.Sum += part.Add
		sum.Num++
		return nil
	})
	return sum, err
}

func (streamingService) DivideStream(_ context.Context, sum *streaming.Sum, stream streaming.TTRPCStreaming_DivideStreamServer) error {
	rest := sum.Sum
	for i := range sum.Num {
		part := rest
		if i < sum.Num-1 {
			part = int32(i) % 3
		}
		rest -= part
		if err := stream.Send(&streaming.Part{Add: part}); err != nil {
			return err
		}
	}
	return nil
}

func (streamingService) EchoNull(_ context.Context, stream streaming.TTRPCStreaming_EchoNullServer) (*emptypb.Empty, error) {
	seq := uint32(0)
	err := each(stream.Recv, func(in *streaming.EchoPayload) error {
		if in.Seq != seq || !strings.Contains(in.Msg, "null") {
			return status.Errorf(codes.InvalidArgument, "message %d came as %v", seq, in)
		}
		seq++
		return nil
	})
	return &emptypb.Empty{}, err
}

func (streamingService) EchoNullStream(_ context.Context, stream streaming.TTRPCStreaming_EchoNullStreamServer) error {
	return each(stream.Recv, func(*streaming.EchoPayload) error {
		sent := make(chan error, 10)
		for range 10 {
			go func() { sent <- stream.Send(&emptypb.Empty{}) }()
		}
		var failed error
		for range 10 {
			failed = errors.Join(failed, <-sent)
		}
		return failed
	})
}

func (streamingService) EmptyPayloadStream(_ context.Context, _ *emptypb.Empty, stream streaming.TTRPCStreaming_EmptyPayloadStreamServer) error {
	if err := stream.Send(&streaming.EchoPayload{}); err != nil {
		return err
	}
	return stream.Send(&streaming.EchoPayload{})
}

// each takes messages to the regular end of a stream.
func each[T any](receive func() (*T, error), take func(*T) error) error {
	for {
		in, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := take(in); err != nil {
			return err
		}
	}
}
