// A host that runs a task by containerd's own stubs of its shim API, version 3: `containerd SOCKET BUNDLE` creates the task
// "g2" from that bundle, starts it, waits for it, asks for its state and deletes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	taskv3 "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/ttrpc"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: containerd SOCKET BUNDLE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"containerd-namespace-ttrpc": {"default"}})
	tasks := taskv3.NewTTRPCTaskClient(client)
	created, err := tasks.Create(ctx, &taskv3.CreateTaskRequest{ID: "g2", Bundle: args[1]})
	if err != nil {
		return err
	}
	started, err := tasks.Start(ctx, &taskv3.StartRequest{ID: "g2"})
	if err != nil {
		return err
	}
	waited, err := tasks.Wait(ctx, &taskv3.WaitRequest{ID: "g2"})
	if err != nil {
		return err
	}
	state, err := tasks.State(ctx, &taskv3.StateRequest{ID: "g2"})
	if err != nil {
		return err
	}
	if waited.ExitStatus != 7 || state.Status != task.Status_STOPPED || state.Bundle != args[1] {
		return fmt.Errorf("created %v, started %v, waited %v, then %v", created, started, waited, state)
	}
	_, err = tasks.Delete(ctx, &taskv3.DeleteRequest{ID: "g2"})
	return err
}
