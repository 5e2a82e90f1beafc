// Package tool runs the programs that do the work on file systems. They are the distribution's own; one that is
// missing is an error that names the package it comes in.
package tool
