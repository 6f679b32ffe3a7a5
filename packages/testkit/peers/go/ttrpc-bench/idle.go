// What is opened, used once and left alone, and what memory is in use.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

// The clients and streams that idle, kept from being collected.
var kept []any

// Where the server is; more connections are opened later.
var socketPath string

// open opens streams or connections, uses each once and leaves them open.
func open(client testv1.EchoServiceClient, bench benchCase, asked request) (*figures, error) {
	payload := payloadOf(bench)
	clientBefore, serverBefore := cpuMicros(os.Getpid()), cpuMicros(asked.ServerPid)
	begin := time.Now()
	latencies := make([]float64, asked.Count)
	for i := range latencies {
		one := time.Now()
		var err error
		if bench.Kind == "idle-streams" {
			err = openStream(client, payload)
		} else {
			err = openConnection(bench, payload)
		}
		if err != nil {
			return nil, err
		}
		latencies[i] = float64(time.Since(one).Nanoseconds()) / 1000
	}
	seconds := time.Since(begin).Seconds()
	cpu := [2]float64{cpuMicros(os.Getpid()) - clientBefore, cpuMicros(asked.ServerPid) - serverBefore}
	return sumUp(asked.Count, seconds, cpu, latencies), nil
}

func openStream(client testv1.EchoServiceClient, payload []byte) error {
	stream, err := client.Chat(context.Background())
	if err != nil {
		return err
	}
	if err := stream.Send(&testv1.EchoRequest{Payload: payload}); err != nil {
		return err
	}
	kept = append(kept, stream)
	_, err = stream.Recv()
	return err
}

func openConnection(bench benchCase, payload []byte) error {
	client, err := dial(socketPath, bench)
	if err != nil {
		return err
	}
	kept = append(kept, client)
	_, err = client.Echo(context.Background(), &testv1.EchoRequest{Payload: payload})
	return err
}

// memoryInUse gives back all that can be spared and looks at what stays. The stacks of goroutines count as heap.
func memoryInUse() (*memory, error) {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return nil, fmt.Errorf("no memory in %q", text)
	}
	pages, err := strconv.Atoi(fields[1])
	return &memory{Heap: int(stats.HeapAlloc + stats.StackInuse), Rss: pages * os.Getpagesize()}, err
}
