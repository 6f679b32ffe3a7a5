// Runs one of grpc-go's own interoperability test cases against a server. A case that fails ends the program with its message.
package main

import (
	"context"
	"flag"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// What the messages of the soak cases measure, in bytes: those of large_unary.
const soakRequest, soakResponse = 271828, 314159

func main() {
	target := flag.String("target", "", "the server, as 127.0.0.1:50051 or unix:/run/server.sock")
	test := flag.String("test_case", "", "the name of the case")
	ca := flag.String("ca", "", "a file with the certificate authority; without it the connection is in plaintext")
	flag.Parse()

	secure := insecure.NewCredentials()
	if *ca != "" {
		tls, err := credentials.NewClientTLSFromFile(*ca, "")
		if err != nil {
			log.Fatal(err)
		}
		secure = tls
	}
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(*target, grpc.WithTransportCredentials(secure))
		if err != nil {
			log.Fatal(err)
		}
		return conn
	}
	conn := dial()
	defer conn.Close()
	client := testgrpc.NewTestServiceClient(conn)

	cases := map[string]func(context.Context){
		"empty_unary":                 func(ctx context.Context) { interop.DoEmptyUnaryCall(ctx, client) },
		"large_unary":                 func(ctx context.Context) { interop.DoLargeUnaryCall(ctx, client) },
		"client_streaming":            func(ctx context.Context) { interop.DoClientStreaming(ctx, client) },
		"server_streaming":            func(ctx context.Context) { interop.DoServerStreaming(ctx, client) },
		"ping_pong":                   func(ctx context.Context) { interop.DoPingPong(ctx, client) },
		"empty_stream":                func(ctx context.Context) { interop.DoEmptyStream(ctx, client) },
		"custom_metadata":             func(ctx context.Context) { interop.DoCustomMetadata(ctx, client) },
		"status_code_and_message":     func(ctx context.Context) { interop.DoStatusCodeAndMessage(ctx, client) },
		"special_status_message":      func(ctx context.Context) { interop.DoSpecialStatusMessage(ctx, client) },
		"unimplemented_method":        func(ctx context.Context) { interop.DoUnimplementedMethod(ctx, conn) },
		"cancel_after_begin":          func(ctx context.Context) { interop.DoCancelAfterBegin(ctx, client) },
		"cancel_after_first_response": func(ctx context.Context) { interop.DoCancelAfterFirstResponse(ctx, client) },
		"timeout_on_sleeping_server":  func(ctx context.Context) { interop.DoTimeoutOnSleepingServer(ctx, client) },
		"pick_first_unary":            func(ctx context.Context) { interop.DoPickFirstUnary(ctx, client) },
		"unimplemented_service": func(ctx context.Context) {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
		},
		"rpc_soak": func(ctx context.Context) {
			soak(ctx, *target, func() (*grpc.ClientConn, func()) { return conn, func() {} })
		},
		"channel_soak": func(ctx context.Context) {
			soak(ctx, *target, func() (*grpc.ClientConn, func()) {
				own := dial()
				return own, func() { own.Close() }
			})
		},
	}
	run, known := cases[*test]
	if !known {
		log.Fatalf("there is no test case %q", *test)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	run(ctx)
}

func soak(ctx context.Context, target string, channel func() (*grpc.ClientConn, func())) {
	interop.DoSoakTest(ctx, interop.SoakTestConfig{
		RequestSize:                      soakRequest,
		ResponseSize:                     soakResponse,
		PerIterationMaxAcceptableLatency: 20 * time.Second,
		OverallTimeout:                   30 * time.Second,
		ServerAddr:                       target,
		NumWorkers:                       2,
		Iterations:                       20,
		ChannelForTest:                   channel,
	})
}
