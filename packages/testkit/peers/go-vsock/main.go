// The one program of the guest in the nested run: a peer on AF_VSOCK with nothing of ours in it. It is the guest's init, so
// that it must not end: the kernel would panic, which ends the guest.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The ports; packages/vsock/test/nested/guest.mjs has them too.
const (
	echoPort    = 7000 // Sends back what comes.
	heldPort    = 7001 // Reads nothing until it is released, then tells the SHA-256 of what came.
	releasePort = 7002 // Releases the connection that is held.
	dialPort    = 7003 // Takes a port in a line, dials the host there and tells what came of it.
)

var release = make(chan struct{})

func main() {
	serve(echoPort, echo)
	serve(heldPort, held)
	serve(releasePort, releaseHeld)
	serve(dialPort, dialHost)
	fmt.Println("gw-guest READY")
	select {}
}

// serve listens, and answers each connection in a goroutine of its own.
func serve(port uint32, answer func(*os.File)) {
	listener, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	fatal("socket", err)
	fatal("bind", unix.Bind(listener, &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: port}))
	fatal("listen", unix.Listen(listener, 128))
	go func() {
		for {
			fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			if err != nil {
				// The host has left a connection before it was taken: that is its affair, and part of the tests.
				fmt.Printf("accept on %d: %v\n", port, err)
				continue
			}
			go func() {
				connection := os.NewFile(uintptr(fd), "vsock")
				defer connection.Close()
				answer(connection)
			}()
		}
	}()
}

func echo(connection *os.File) {
	_, _ = io.Copy(plainWriter{connection}, plainReader{connection})
}

func held(connection *os.File) {
	<-release
	hash := sha256.New()
	if _, err := io.Copy(hash, plainReader{connection}); err != nil {
		fmt.Printf("held: %v\n", err)
		return
	}
	fmt.Fprint(connection, hex.EncodeToString(hash.Sum(nil)))
}

func releaseHeld(connection *os.File) {
	release <- struct{}{}
	fmt.Fprint(connection, "released")
}

func dialHost(connection *os.File) {
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 32)
	if err != nil {
		fmt.Fprintf(connection, "not a port: %q", line)
		return
	}
	answer, err := talkToHost(uint32(port))
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		fmt.Fprint(connection, unix.ErrnoName(errno))
	case err != nil:
		fmt.Fprint(connection, err)
	default:
		fmt.Fprintf(connection, "answered: %s", answer)
	}
}

// talkToHost says a word, ends its half, and reads to the end of the other one.
func talkToHost(port uint32) (string, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	connection := os.NewFile(uintptr(fd), "vsock")
	defer connection.Close()
	if err := unix.Connect(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_HOST, Port: port}); err != nil {
		return "", err
	}
	if _, err := connection.WriteString("a word from the guest"); err != nil {
		return "", err
	}
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(plainReader{connection})
	return string(answer), err
}

func fatal(what string, err error) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

// Copying between files has short cuts in Go that are for regular files; these hide that there is a file.
type plainReader struct{ io.Reader }
type plainWriter struct{ io.Writer }
