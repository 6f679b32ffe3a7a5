package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go-ttrpc-1.1/echo"
)

const maxFrame = 4 << 20

// peer is one connection to the server under test.
type peer struct {
	path string
	*ttrpc.Client
}

func dial(path string) (*peer, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return &peer{path, ttrpc.NewClient(conn)}, nil
}

func (p *peer) call(ctx context.Context, method string, in, out proto.Message) error {
	return p.Call(ctx, service, method, wire{in}, wire{out})
}

func (p *peer) echo(ctx context.Context, in *testv1.EchoRequest) (*testv1.EchoResponse, error) {
	out := &testv1.EchoResponse{}
	return out, p.call(ctx, "Echo", in, out)
}

var cases = map[string]func(context.Context, *peer) error{
	"unary":        unary,
	"empty":        empty,
	"metadata":     metadata,
	"timeout":      timeout,
	"deadline":     deadline,
	"status":       statuses,
	"unknown":      unknown,
	"size_below":   sizeBelow,
	"size_above":   sizeAbove,
	"cancel_unary": cancelUnary,
	"concurrent":   concurrent,
	"shutdown":     shutdown,
	"reset":        reset,
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
	out, err := p.echo(ctx, &testv1.EchoRequest{Text: "after"})
	if err != nil {
		return fmt.Errorf("a call afterwards: %w", err)
	}
	return expect("a call afterwards", out.Text, "after")
}

func unary(ctx context.Context, p *peer) error {
	in := &testv1.EchoRequest{Text: "☺ text", Payload: []byte{0, 1, 255}, Number: -5}
	out, err := p.echo(ctx, in)
	if err != nil {
		return err
	}
	return expect("answer", fmt.Sprint(out.Text, out.Payload, out.Number), fmt.Sprint(in.Text, in.Payload, in.Number))
}

func empty(ctx context.Context, p *peer) error {
	out, err := p.echo(ctx, &testv1.EchoRequest{})
	if err != nil {
		return err
	}
	return expect("bytes of the answer", proto.Size(out), 0)
}

func metadata(ctx context.Context, p *peer) error {
	md := ttrpc.MD{}
	md.Set("X-Number", "1", "2")
	md.Append("y", "")
	out := &testv1.InspectResponse{}
	if err := p.call(ttrpc.WithMetadata(ctx, md), "Inspect", &emptypb.Empty{}, out); err != nil {
		return err
	}
	seen := map[string][]string{}
	for _, pair := range out.Metadata {
		seen[pair.Key] = append(seen[pair.Key], pair.Value)
	}
	return expect("metadata", fmt.Sprintf("%q", seen), `map["x-number":["1" "2"] "y":[""]]`)
}

func timeout(_ context.Context, p *peer) error {
	long, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out := &testv1.InspectResponse{}
	if err := p.call(long, "Inspect", &emptypb.Empty{}, out); err != nil {
		return err
	}
	if left := out.TimeRemainingMs; left > 600_000 || left < 500_000 {
		return fmt.Errorf("%v ms were left of 600,000", left)
	}
	if err := p.call(context.Background(), "Inspect", &emptypb.Empty{}, out); err != nil {
		return err
	}
	return expect("without a deadline", out.TimeRemainingMs, float64(-1))
}

func deadline(ctx context.Context, p *peer) error {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err := p.call(short, "Hang", &emptypb.Empty{}, &emptypb.Empty{})
	if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("after the deadline: %v", err)
	}
	return p.works(ctx)
}

func statuses(ctx context.Context, p *peer) error {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		text := fmt.Sprintf("code %d\t\n☺ 😈", code)
		in := &testv1.FailRequest{Code: int32(code), Message: text, Detail: "d"}
		failure, _ := status.FromError(p.call(ctx, "Fail", in, &emptypb.Empty{}))
		detail := &testv1.EchoRequest{}
		if details := failure.Proto().GetDetails(); len(details) != 1 {
			return fmt.Errorf("%v came without its detail", failure)
		} else if err := proto.Unmarshal(details[0].Value, detail); err != nil {
			return err
		}
		if err := errors.Join(expect("code", failure.Code(), code), expect("text", failure.Message(), text), expect("detail", detail.Text, "d")); err != nil {
			return err
		}
	}
	return expectCode("a plain error", p.call(ctx, "Fail", &testv1.FailRequest{Message: "plain"}, &emptypb.Empty{}), codes.Unknown)
}

func unknown(ctx context.Context, p *peer) error {
	in, out := wire{&testv1.EchoRequest{}}, wire{&testv1.EchoResponse{}}
	return errors.Join(
		expectCode("no such service", p.Call(ctx, "no.Such", "Echo", in, out), codes.Unimplemented),
		expectCode("no such method", p.Call(ctx, service, "Nope", in, out), codes.Unimplemented),
		p.works(ctx))
}

// largest makes a message whose whole Request has as many bytes as a frame may have: 43 of them are not the payload's.
func largest() *testv1.EchoRequest {
	in := &testv1.EchoRequest{Payload: make([]byte, maxFrame)}
	frame := func() int {
		inner := proto.Size(in)
		return 2 + len(service) + 2 + len("Echo") + 1 + sizeOf(inner) + inner
	}
	in.Payload = in.Payload[:maxFrame-(frame()-maxFrame)]
	return in
}

func sizeOf(n int) int {
	size := 1
	for ; n >= 128; n >>= 7 {
		size++
	}
	return size
}

func sizeBelow(ctx context.Context, p *peer) error {
	in := largest()
	out, err := p.echo(context.Background(), in)
	if err != nil {
		return err
	}
	return errors.Join(expect("bytes", len(out.Payload), len(in.Payload)), p.works(ctx))
}

func sizeAbove(ctx context.Context, p *peer) error {
	in := largest()
	in.Payload = append(in.Payload, 0)
	_, err := p.echo(context.Background(), in)
	return errors.Join(expectCode("one byte more", err, codes.ResourceExhausted), p.works(ctx))
}

func cancelUnary(ctx context.Context, p *peer) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.call(short, "Hang", &emptypb.Empty{}, &emptypb.Empty{}) }()
	if err := p.works(ctx); err != nil {
		return err
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("after the cancel: %v", err)
	}
	return p.works(ctx)
}

func concurrent(ctx context.Context, p *peer) error {
	const calls = 1000
	ended := make(chan error, calls)
	for i := range calls {
		go func() {
			text := fmt.Sprint("t", i)
			out, err := p.echo(ctx, &testv1.EchoRequest{Text: text, Payload: make([]byte, i)})
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
	err := p.call(ctx, "Hang", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Canceled && status.Code(err) != codes.Unavailable && !lost(err) {
		return fmt.Errorf("the running call ended with %v", err)
	}
	if _, err = p.echo(ctx, &testv1.EchoRequest{}); !lost(err) && status.Code(err) != codes.Unavailable {
		return fmt.Errorf("a call afterwards ended with %v", err)
	}
	return nil
}

// The connection is lost while a call runs; a new one works.
func reset(ctx context.Context, p *peer) error {
	if err := p.call(ctx, "Hang", &emptypb.Empty{}, &emptypb.Empty{}); !lost(err) {
		return fmt.Errorf("the call ended with %v", err)
	}
	second, err := dial(p.path)
	if err != nil {
		return err
	}
	defer second.Close()
	return second.works(ctx)
}

func lost(err error) bool {
	text := fmt.Sprint(err)
	return errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, net.ErrClosed) || strings.Contains(text, "reset") || strings.Contains(text, "broken pipe")
}
