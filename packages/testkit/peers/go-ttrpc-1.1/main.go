// A server and a client on Go's ttrpc 1.1, which had unary calls only, for the matrix of peers:
//
//	go-ttrpc-1.1 server SOCKET      serves until its standard input ends; the line "shutdown" there ends it in the gentle way
//	go-ttrpc-1.1 client SOCKET CASE makes the calls of one case, and fails with what was otherwise than expected
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "server":
		return serve(args[1])
	case len(args) == 3 && args[0] == "client":
		return runCase(args[1], args[2])
	}
	return fmt.Errorf("usage: go-ttrpc-1.1 server SOCKET | client SOCKET CASE")
}

// wire lets a message of today's protobuf travel by the library's, which knows only that of its own time.
type wire struct{ proto.Message }

func (w wire) Reset()                       { proto.Reset(w.Message) }
func (w wire) String() string               { return fmt.Sprint(w.Message) }
func (wire) ProtoMessage()                  {}
func (w wire) Marshal() ([]byte, error)     { return proto.Marshal(w.Message) }
func (w wire) Unmarshal(bytes []byte) error { return proto.Unmarshal(bytes, w.Message) }
