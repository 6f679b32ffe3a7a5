// A server and a client on Go's own ttrpc, for the matrix of peers:
//
//	ttrpc-peer server SOCKET      serves until its standard input ends; the line "shutdown" there ends it in the gentle way
//	ttrpc-peer client SOCKET CASE makes the calls of one case, and fails with what was otherwise than expected
//
// Built against several versions of the library from this one source.
package main

import (
	"fmt"
	"os"
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
	return fmt.Errorf("usage: ttrpc-peer server SOCKET | client SOCKET CASE")
}
