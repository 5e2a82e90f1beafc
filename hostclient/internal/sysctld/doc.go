// Package sysctld reads settings as sysctl.d(5) spells them: files, the directories that "sysctl --system" reads, and the pod annotation.
//
// The rules are those of systemd-sysctl(8): a "#" or ";" starts a comment line, the first "=" separates key and value, blanks around both
// are dropped, the later line wins, a key with "*", "?" or "[" is a glob over the keys of the target that no other line names, "-key = value"
// may fail, and "-key" keeps globs off a key. There is no line continuation. One thing is stricter: a malformed line is an error
// ([*Malformed]), of which all are told and with which nothing is to be applied, where systemd-sysctl warns and goes on.
//
// Every line keeps its place, so that whoever judges it later can name it. Keys and values are the agent's to judge. The package reads files
// and writes none.
package sysctld
