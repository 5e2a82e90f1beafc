// Package config reads how the agent runs: a file in the image, and parameters of the kernel command line, which the host
// chooses. What the agent allows is the policy's.
//
// Both are strict: an unknown name or a bad value is an error, and the agent does not start with one.
package config
