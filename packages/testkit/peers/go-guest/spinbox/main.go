// A host and a guest of spinbox's services, on Go's ttrpc and the stubs that gen/go has of them:
//
//	spinbox client SOCKET CONFIG  drives a guest: a bundle with that config.json, its task to the end, the events of it
//	spinbox server SOCKET         plays a guest, until its standard input ends
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	events "github.com/guestwire/guestwire/gen/go/containerd/events"
	taskv3 "github.com/guestwire/guestwire/gen/go/containerd/task/v3"
	types "github.com/guestwire/guestwire/gen/go/containerd/types"
	bundlev1 "github.com/guestwire/guestwire/gen/go/containerd/vminitd/services/bundle/v1"
	systemv1 "github.com/guestwire/guestwire/gen/go/containerd/vminitd/services/system/v1"
	vmeventsv1 "github.com/guestwire/guestwire/gen/go/spinbox/services/vmevents/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "client":
		return drive(args[1], args[2])
	case len(args) == 2 && args[0] == "server":
		return serve(args[1])
	}
	return errors.New("usage: spinbox client SOCKET CONFIG | server SOCKET")
}

func drive(path, config string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	// Events have a connection of their own, as spinbox's host has it.
	eventConn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	eventClient := ttrpc.NewClient(eventConn)
	defer eventClient.Close()
	stream, err := vmeventsv1.NewTTRPCEventsClient(eventClient).Stream(ctx, &emptypb.Empty{})
	if err != nil {
		return err
	}
	// Once this is answered, the events are being watched.
	info, err := systemv1.NewTTRPCSystemClient(eventClient).Info(ctx, &emptypb.Empty{})
	if err != nil {
		return err
	}
	if info.Version == "" || info.KernelVersion == "" {
		return fmt.Errorf("the guest says of itself %v", info)
	}

	bundles, tasks := bundlev1.NewTTRPCBundleClient(client), taskv3.NewTTRPCTaskClient(client)
	create := &bundlev1.CreateRequest{Id: "g1", Files: map[string][]byte{"config.json": []byte(config)}}
	bundle, err := bundles.Create(ctx, create)
	if err != nil {
		return err
	}
	// Neither spinbox nor ours has a code of its own for it.
	if _, err := bundles.Create(ctx, create); status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "file exists") {
		return fmt.Errorf("the same bundle again: %v", err)
	}
	if _, err := tasks.Start(ctx, &taskv3.StartRequest{Id: "none"}); status.Code(err) != codes.NotFound {
		return fmt.Errorf("a task that is not there: %v", err)
	}
	if _, err := tasks.Create(ctx, &taskv3.CreateTaskRequest{Id: "g1", Bundle: bundle.Bundle}); err != nil {
		return err
	}
	started, err := tasks.Start(ctx, &taskv3.StartRequest{Id: "g1"})
	if err != nil {
		return err
	}
	waited, err := tasks.Wait(ctx, &taskv3.WaitRequest{Id: "g1"})
	if err != nil {
		return err
	}
	deleted, err := tasks.Delete(ctx, &taskv3.DeleteRequest{Id: "g1"})
	if err != nil {
		return err
	}
	if waited.ExitStatus != 7 || deleted.ExitStatus != 7 || deleted.Pid != started.Pid {
		return fmt.Errorf("started %v, waited %v, deleted %v", started, waited, deleted)
	}
	var topics []string
	for !slices.Contains(topics, "/tasks/delete") {
		envelope, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("events after %v: %w", topics, err)
		}
		topics = append(topics, envelope.Topic)
		if envelope.Topic != "/tasks/exit" {
			continue
		}
		exit := &events.TaskExit{}
		if err := envelope.Event.UnmarshalTo(exit); err == nil && exit.ExitStatus != 7 {
			return fmt.Errorf("the event of the exit: %v", exit)
		}
	}
	if !slices.Equal(topics, []string{"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"}) {
		return fmt.Errorf("events: %v", topics)
	}
	return nil
}

func serve(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	guest := &guest{bundles: map[string]bool{}, killed: make(chan struct{})}
	bundlev1.RegisterTTRPCBundleService(server, guest)
	systemv1.RegisterTTRPCSystemService(server, system{})
	vmeventsv1.RegisterTTRPCEventsService(server, guest)
	taskv3.RegisterTTRPCTaskService(server, task{guest: guest})
	go func() { _ = server.Serve(context.Background(), listener) }()
	fmt.Println("listening")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
	}
	return nil
}

// guest knows one bundle and one task; the tests call it one call at a time.
type guest struct {
	bundles map[string]bool
	killed  chan struct{}
}

func (g *guest) Create(_ context.Context, in *bundlev1.CreateRequest) (*bundlev1.CreateResponse, error) {
	if g.bundles[in.Id] {
		return nil, status.Errorf(codes.AlreadyExists, "bundle %q is there already", in.Id)
	}
	g.bundles[in.Id] = true
	return &bundlev1.CreateResponse{Bundle: fmt.Sprintf("/run/%s/%d", in.Id, len(in.Files["config.json"]))}, nil
}

func (g *guest) Stream(ctx context.Context, _ *emptypb.Empty, stream vmeventsv1.TTRPCEvents_StreamServer) error {
	event, err := anypb.New(&events.TaskStart{ContainerId: "g1", Pid: 4711})
	if err != nil {
		return err
	}
	for range 3 {
		envelope := &types.Envelope{Topic: "/tasks/start", Namespace: "default", Event: event, Timestamp: timestamppb.New(time.Unix(5, 7))}
		if err := stream.Send(envelope); err != nil {
			return err
		}
	}
	<-ctx.Done()
	fmt.Println("events are over")
	return nil
}

type system struct{ systemv1.TTRPCSystemService }

func (system) Info(context.Context, *emptypb.Empty) (*systemv1.InfoResponse, error) {
	return &systemv1.InfoResponse{Version: "1.2.3", KernelVersion: "6.12.0"}, nil
}

type task struct {
	taskv3.TTRPCTaskService
	guest *guest
}

func (task) Create(_ context.Context, in *taskv3.CreateTaskRequest) (*taskv3.CreateTaskResponse, error) {
	if in.Bundle == "" {
		return nil, status.Error(codes.InvalidArgument, "no bundle is named")
	}
	return &taskv3.CreateTaskResponse{Pid: 4711}, nil
}

func (task) Start(context.Context, *taskv3.StartRequest) (*taskv3.StartResponse, error) {
	return &taskv3.StartResponse{Pid: 4711}, nil
}

func (t task) Kill(context.Context, *taskv3.KillRequest) (*emptypb.Empty, error) {
	close(t.guest.killed)
	return &emptypb.Empty{}, nil
}

func (t task) Wait(ctx context.Context, _ *taskv3.WaitRequest) (*taskv3.WaitResponse, error) {
	select {
	case <-t.guest.killed:
		return &taskv3.WaitResponse{ExitStatus: 143, ExitedAt: timestamppb.New(time.Unix(5, 7))}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
