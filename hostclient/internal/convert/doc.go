// Package convert turns the init containers of a manifest that only set sysctls into the annotation io.katacontainers.sysctl.
//
// The way of a container:
//
//	command   command and args of the container → the script that it runs
//	script    the script, parsed as a shell parses it → statements: a setting, something without effect, or something else
//	edit      the manifest's text, where only the lines of the container and of the annotation change
//
// A container goes only if everything that it does is understood; else it stays, and every statement that is in the way is named with
// file:line. Nothing is run, and nothing is guessed: a word that depends on a variable or a command is not understood.
package convert
