module github.com/guestwire/guestwire/packages/testkit/peers/go-vsock

go 1.26.0

require golang.org/x/sys v0.48.0
