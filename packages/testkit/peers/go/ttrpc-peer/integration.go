package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/ttrpc/integration/streaming"
)

// integration makes the calls of the library's own integration tests.
func integration(ctx context.Context, p *peer) error {
	client := streaming.NewTTRPCStreamingClient(p.Client)
	for name, part := range map[string]func(context.Context, streaming.TTRPCStreamingClient) error{
		"Echo": nextEcho, "EchoStream": echoStream, "SumStream": sumStream, "DivideStream": divideStream,
		"EchoNull": echoNull, "EchoNullStream": echoNullStream, "EmptyPayloadStream": emptyPayloadStream,
	} {
		if err := part(ctx, client); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func nextEcho(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	out, err := client.Echo(ctx, &streaming.EchoPayload{Seq: 1, Msg: "m"})
	if err != nil {
		return err
	}
	return expect("answer", fmt.Sprint(out.Seq, out.Msg), fmt.Sprint(2, "m"))
}

func echoStream(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.EchoStream(ctx)
	if err != nil {
		return err
	}
	for seq := uint32(0); seq < 100; seq += 2 {
		if err := stream.Send(&streaming.EchoPayload{Seq: seq, Msg: "m"}); err != nil {
			return err
		}
		out, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := expect("number", out.Seq, seq+1); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	_, err = stream.Recv()
	return expect("end", err, io.EOF)
}

func sumStream(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.SumStream(ctx)
	if err != nil {
		return err
	}
	for add := int32(-100); add <= 101; add++ {
		part := &streaming.Part{Add: add}
		if add == -100 || add == 101 {
			part = &streaming.Part{}
		}
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	sum, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return errors.Join(expect("sum", sum.Sum, int32(100)), expect("parts", sum.Num, int32(202)))
}

func divideStream(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.DivideStream(ctx, &streaming.Sum{Sum: 392, Num: 30})
	if err != nil {
		return err
	}
	sum, count := int32(0), 0
	err = each(stream.Recv, func(part *streaming.Part) error {
		sum += part.Add
		count++
		return nil
	})
	return errors.Join(err, expect("sum", sum, int32(392)), expect("parts", count, 30))
}

func echoNull(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.EchoNull(ctx)
	if err != nil {
		return err
	}
	for seq := range uint32(100) {
		if err := stream.Send(&streaming.EchoPayload{Seq: seq, Msg: "null"}); err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}

func echoNullStream(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.EchoNullStream(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		var failed error
		for seq := range uint32(100) {
			failed = errors.Join(failed, stream.Send(&streaming.EchoPayload{Seq: seq, Msg: "null"}))
		}
		sent <- errors.Join(failed, stream.CloseSend())
	}()
	count := 0
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		count++
	}
	return errors.Join(<-sent, expect("messages", count, 1000))
}

func emptyPayloadStream(ctx context.Context, client streaming.TTRPCStreamingClient) error {
	stream, err := client.EmptyPayloadStream(ctx, nil)
	if err != nil {
		return err
	}
	count := 0
	err = each(stream.Recv, func(*streaming.EchoPayload) error { count++; return nil })
	return errors.Join(err, expect("messages", count, 2))
}
