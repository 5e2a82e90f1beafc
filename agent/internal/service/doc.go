// Package service speaks the API: it turns requests into the plain types of package apply and its results into replies, maps
// errors to gRPC status with the Failure detail, and writes one audit line a request.
package service
