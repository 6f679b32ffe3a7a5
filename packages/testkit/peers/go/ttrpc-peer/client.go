package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

const (
	maxFrame = 4 << 20
	service  = "guestwire.test.v1.EchoService"
)

// peer is one connection to the server under test.
type peer struct {
	path string
	*ttrpc.Client
	echo testv1.EchoServiceClient
}

func dial(path string) (*peer, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	client := ttrpc.NewClient(conn)
	return &peer{path, client, testv1.NewEchoServiceClient(client)}, nil
}

var cases = map[string]func(context.Context, *peer) error{
	"unary":         unary,
	"empty":         emptyMessages,
	"server_stream": serverStream,
	"client_stream": clientStream,
	"bidi":          bidi,
	"empty_stream":  emptyStream,
	"metadata":      metadata,
	"timeout":       timeout,
	"deadline":      deadline,
	"status":        statuses,
	"unknown":       unknown,
	"stream_error":  streamError,
	"early_end":     earlyEnd,
	"size_below":    sizeBelow,
	"size_above":    sizeAbove,
	"reply_above":   replyAbove,
	"cancel_unary":  cancelUnary,
	"cancel_stream": cancelStream,
	"unread":        unread,
	"unread_stuck":  unreadStuck,
	"concurrent":    concurrent,
	"shutdown":      shutdown,
	"reset":         reset,
	"integration":   integration,
}

func runCase(path, name string) error {
	test, ok := cases[name]
	if !ok {
		return fmt.Errorf("no case is named %q", name)
	}
	client, err := dial(path)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return test(ctx, client)
}

func expect(what string, got, want any) error {
	if got != want {
		return fmt.Errorf("%s: %v instead of %v", what, got, want)
	}
	return nil
}

func expectCode(what string, err error, want codes.Code) error {
	if status.Code(err) != want {
		return fmt.Errorf("%s: %v instead of %v", what, err, want)
	}
	return nil
}

// works makes one plain call, to see that the connection is as it should be.
func (p *peer) works(ctx context.Context) error {
	out, err := p.echo.Echo(ctx, &testv1.EchoRequest{Text: "after"})
	if err != nil {
		return fmt.Errorf("a call afterwards: %w", err)
	}
	return expect("a call afterwards", out.Text, "after")
}

func unary(ctx context.Context, p *peer) error {
	in := &testv1.EchoRequest{Text: "☺ text", Payload: []byte{0, 1, 255}, Number: -5}
	out, err := p.echo.Echo(ctx, in)
	if err != nil {
		return err
	}
	return expect("answer", fmt.Sprint(out.Text, out.Payload, out.Number), fmt.Sprint(in.Text, in.Payload, in.Number))
}

func emptyMessages(ctx context.Context, p *peer) error {
	out, err := p.echo.Echo(ctx, &testv1.EchoRequest{})
	if err != nil {
		return err
	}
	return expect("bytes of the answer", proto.Size(out), 0)
}

func serverStream(ctx context.Context, p *peer) error {
	for _, size := range []int{0, 1, 5000, 100_000} {
		stream, err := p.echo.Split(ctx, &testv1.SplitRequest{Count: 30, Payload: make([]byte, size)})
		if err != nil {
			return err
		}
		count := 0
		err = each(stream.Recv, func(out *testv1.EchoResponse) error {
			count++
			return errors.Join(expect("number", out.Number, int64(count-1)), expect("bytes", len(out.Payload), size))
		})
		if err := errors.Join(err, expect("messages", count, 30)); err != nil {
			return err
		}
	}
	return nil
}

func clientStream(ctx context.Context, p *peer) error {
	stream, err := p.echo.Join(ctx)
	if err != nil {
		return err
	}
	for i := range 202 {
		part := &testv1.EchoRequest{Text: "x", Number: int64(i)}
		if i == 0 || i == 201 {
			part = &testv1.EchoRequest{}
		}
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	out, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return errors.Join(expect("sum", out.Number, int64(200*201/2)), expect("texts", len(out.Text), 200))
}

func bidi(ctx context.Context, p *peer) error {
	stream, err := p.echo.Chat(ctx)
	if err != nil {
		return err
	}
	for i := range 100 {
		if err := stream.Send(&testv1.EchoRequest{Number: int64(i)}); err != nil {
			return err
		}
		out, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := expect("number", out.Number, int64(i)); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Recv()
	return expect("end", err, io.EOF)
}

func emptyStream(ctx context.Context, p *peer) error {
	split, err := p.echo.Split(ctx, &testv1.SplitRequest{})
	if err != nil {
		return err
	}
	if _, err = split.Recv(); err != io.EOF {
		return fmt.Errorf("a stream of nothing: %v", err)
	}
	join, err := p.echo.Join(ctx)
	if err != nil {
		return err
	}
	sum, err := join.CloseAndRecv()
	if err != nil {
		return err
	}
	chat, err := p.echo.Chat(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		for range 1000 {
			if err := chat.Send(&testv1.EchoRequest{}); err != nil {
				sent <- err
				return
			}
		}
		sent <- chat.CloseSend()
	}()
	count := 0
	err = each(chat.Recv, func(*testv1.EchoResponse) error { count++; return nil })
	return errors.Join(err, <-sent, expect("sum of nothing", proto.Size(sum), 0), expect("messages", count, 1000))
}

func metadata(ctx context.Context, p *peer) error {
	md := ttrpc.MD{}
	md.Set("X-Number", "1", "2")
	md.Append("y", "")
	out, err := p.echo.Inspect(ttrpc.WithMetadata(ctx, md), &emptypb.Empty{})
	if err != nil {
		return err
	}
	seen := map[string][]string{}
	for _, pair := range out.Metadata {
		seen[pair.Key] = append(seen[pair.Key], pair.Value)
	}
	return expect("metadata", fmt.Sprintf("%q", seen), `map["x-number":["1" "2"] "y":[""]]`)
}

func timeout(ctx context.Context, p *peer) error {
	long, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := p.echo.Inspect(long, &emptypb.Empty{})
	if err != nil {
		return err
	}
	if left := out.TimeRemainingMs; left > 600_000 || left < 500_000 {
		return fmt.Errorf("%v ms were left of 600,000", left)
	}
	out, err = p.echo.Inspect(context.Background(), &emptypb.Empty{})
	if err != nil {
		return err
	}
	return expect("without a deadline", out.TimeRemainingMs, float64(-1))
}

// The library gives the context's error where its own clock is first, and the server's status where that is.
func deadline(ctx context.Context, p *peer) error {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := p.echo.Hang(short, &emptypb.Empty{})
	if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("after the deadline: %v", err)
	}
	return p.works(ctx)
}

func statuses(ctx context.Context, p *peer) error {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		text := fmt.Sprintf("code %d\t\n☺ 😈", code)
		_, err := p.echo.Fail(ctx, &testv1.FailRequest{Code: int32(code), Message: text, Detail: "d"})
		failure, _ := status.FromError(err)
		detail := &testv1.EchoRequest{}
		if details := failure.Proto().GetDetails(); len(details) != 1 {
			return fmt.Errorf("%v came without its detail", err)
		} else if err := details[0].UnmarshalTo(detail); err != nil {
			return err
		}
		if err := errors.Join(expect("code", failure.Code(), code), expect("text", failure.Message(), text), expect("detail", detail.Text, "d")); err != nil {
			return err
		}
	}
	_, err := p.echo.Fail(ctx, &testv1.FailRequest{Message: "plain"})
	return expectCode("a plain error", err, codes.Unknown)
}

func unknown(ctx context.Context, p *peer) error {
	in, out := &testv1.EchoRequest{}, &testv1.EchoResponse{}
	return errors.Join(
		expectCode("no such service", p.Call(ctx, "no.Such", "Echo", in, out), codes.Unimplemented),
		expectCode("no such method", p.Call(ctx, service, "Nope", in, out), codes.Unimplemented),
		p.works(ctx))
}

func streamError(ctx context.Context, p *peer) error {
	stream, err := p.echo.Split(ctx, &testv1.SplitRequest{Count: 10, FailAfter: 3})
	if err != nil {
		return err
	}
	count := 0
	err = each(stream.Recv, func(*testv1.EchoResponse) error { count++; return nil })
	return errors.Join(expectCode("in the middle", err, codes.DataLoss), expect("messages", count, 3), p.works(ctx))
}

// The server ends the stream while this side still sends.
func earlyEnd(ctx context.Context, p *peer) error {
	chat, err := p.echo.Chat(ctx)
	if err != nil {
		return err
	}
	for i := range 50 {
		if err := chat.Send(&testv1.EchoRequest{Text: map[bool]string{true: "refuse"}[i == 1]}); err != nil {
			break
		}
	}
	if _, err := chat.Recv(); err != nil {
		return err
	}
	_, err = chat.Recv()
	return errors.Join(expectCode("refused", err, codes.Aborted), p.works(ctx))
}

// request makes a message whose whole Request has so many bytes.
func request(bytes int) *testv1.EchoRequest {
	in := &testv1.EchoRequest{Payload: make([]byte, bytes)}
	for {
		payload, _ := proto.Marshal(in)
		over := proto.Size(&ttrpc.Request{Service: service, Method: "Echo", Payload: payload}) - bytes
		if over == 0 {
			return in
		}
		in.Payload = in.Payload[:len(in.Payload)-over]
	}
}

// Without a deadline, as that would be part of the request.
func sizeBelow(ctx context.Context, p *peer) error {
	in := request(maxFrame)
	out, err := p.echo.Echo(context.Background(), in)
	if err != nil {
		return err
	}
	return errors.Join(expect("bytes", len(out.Payload), len(in.Payload)), p.works(ctx))
}

func sizeAbove(ctx context.Context, p *peer) error {
	_, err := p.echo.Echo(context.Background(), &testv1.EchoRequest{Payload: make([]byte, len(request(maxFrame).Payload)+1)})
	return errors.Join(expectCode("one byte more", err, codes.ResourceExhausted), p.works(ctx))
}

func replyAbove(ctx context.Context, p *peer) error {
	stream, err := p.echo.Join(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		if err := stream.Send(&testv1.EchoRequest{Payload: make([]byte, 5<<19)}); err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return errors.Join(expectCode("an answer of 5 MiB", err, codes.ResourceExhausted), p.works(ctx))
}

func cancelUnary(ctx context.Context, p *peer) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := p.echo.Hang(short, &emptypb.Empty{})
		ended <- err
	}()
	if err := p.works(ctx); err != nil {
		return err
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("after the cancel: %v", err)
	}
	return p.works(ctx)
}

func cancelStream(ctx context.Context, p *peer) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	chat, err := p.echo.Chat(short)
	if err != nil {
		return err
	}
	if err := chat.Send(&testv1.EchoRequest{Text: "a"}); err != nil {
		return err
	}
	if _, err := chat.Recv(); err != nil {
		return err
	}
	cancel()
	if _, err := chat.Recv(); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("after the cancel: %v", err)
	}
	return p.works(ctx)
}

// Calls beside a stream that nobody reads, for as long as it takes the stream to be full: the library gives it up a second
// later.
func unread(ctx context.Context, p *peer) error {
	if _, err := p.echo.Split(ctx, &testv1.SplitRequest{Count: 1000, Payload: make([]byte, 100)}); err != nil {
		return err
	}
	for range 1000 {
		if err := p.works(ctx); err != nil {
			return err
		}
	}
	return nil
}

// As unread, with a version whose client then reads nothing more, for ever.
func unreadStuck(ctx context.Context, p *peer) error {
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := unread(short, p); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it is not stuck: %v", err)
	}
	second, err := dial(p.path)
	if err != nil {
		return err
	}
	defer second.Close()
	return second.works(ctx)
}

func concurrent(ctx context.Context, p *peer) error {
	const calls = 1000
	ended := make(chan error, calls)
	for i := range calls {
		go func() {
			if i%10 == 0 {
				stream, err := p.echo.Split(ctx, &testv1.SplitRequest{Count: 5, Payload: make([]byte, 100)})
				if err == nil {
					count := 0
					err = each(stream.Recv, func(*testv1.EchoResponse) error { count++; return nil })
					err = errors.Join(err, expect("messages", count, 5))
				}
				ended <- err
				return
			}
			text := fmt.Sprint("t", i)
			out, err := p.echo.Echo(ctx, &testv1.EchoRequest{Text: text, Payload: make([]byte, i)})
			if err == nil {
				err = expect("text", out.Text, text)
			}
			ended <- err
		}()
	}
	var failed error
	for range calls {
		if err := <-ended; failed == nil {
			failed = err
		}
	}
	return failed
}

// The server closes gently while one call runs; the call is answered, what comes later is not served.
func shutdown(ctx context.Context, p *peer) error {
	_, err := p.echo.Hang(ctx, &emptypb.Empty{})
	if status.Code(err) != codes.Canceled && status.Code(err) != codes.Unavailable && !errors.Is(err, ttrpc.ErrClosed) {
		return fmt.Errorf("the running call ended with %v", err)
	}
	_, err = p.echo.Echo(ctx, &testv1.EchoRequest{})
	if !errors.Is(err, ttrpc.ErrClosed) && status.Code(err) != codes.Unavailable && !strings.Contains(fmt.Sprint(err), "broken pipe") {
		return fmt.Errorf("a call afterwards ended with %v", err)
	}
	return nil
}

// The connection is lost while a call and a stream run; a new one works.
func reset(ctx context.Context, p *peer) error {
	chat, err := p.echo.Chat(ctx)
	if err != nil {
		return err
	}
	if _, err = p.echo.Hang(ctx, &emptypb.Empty{}); !lost(err) {
		return fmt.Errorf("the call ended with %v", err)
	}
	if _, err := chat.Recv(); !lost(err) {
		return fmt.Errorf("the stream ended with %v", err)
	}
	second, err := dial(p.path)
	if err != nil {
		return err
	}
	defer second.Close()
	return second.works(ctx)
}

func lost(err error) bool {
	return errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, net.ErrClosed) || strings.Contains(fmt.Sprint(err), "reset")
}
