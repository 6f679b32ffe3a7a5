// The other thing that the benchmark asks of this program: one call from a cold start, to be measured from outside.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	testv1 "github.com/guestwire/guestwire/packages/testkit/peers/go/echo"
)

// callOnce connects, makes one call, and prints the CPU time that the process has used, in microseconds.
func callOnce(path string) error {
	client, err := dial(path, benchCase{})
	if err != nil {
		return err
	}
	sent := bytes.Repeat([]byte("cold"), 16)
	reply, err := client.Echo(context.Background(), &testv1.EchoRequest{Payload: sent})
	if err != nil {
		return err
	}
	if !bytes.Equal(reply.Payload, sent) {
		return errors.New("something else came back")
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	micros := func(t syscall.Timeval) int64 { return int64(t.Sec)*1_000_000 + int64(t.Usec) }
	_, err = fmt.Fprintf(os.Stdout, `{"user":%d,"system":%d}`, micros(used.Utime), micros(used.Stime))
	return err
}
