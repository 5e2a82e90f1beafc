package convert

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/syntax"
)

// word is an element of command or args.
type word struct {
	node *yaml.Node
	text string
}

// shells are the shells that are read, in the language that each speaks.
var shells = map[string]syntax.LangVariant{
	"sh": syntax.LangPOSIX, "ash": syntax.LangPOSIX, "dash": syntax.LangPOSIX, "bash": syntax.LangBash,
}

// harmlessOptions are the options of a shell that don't change what a script does, but for "c".
const harmlessOptions = "eulx"

// container reads what an init container does.
func (s *script) container(item *yaml.Node) {
	if merge := field(item, "<<"); merge != nil {
		s.complain(merge.Line, "<<", "merge keys are not read: write the fields out")
		return
	}
	if restart := field(item, "restartPolicy"); restart != nil {
		s.complain(restart.Line, "restartPolicy: "+scalar(restart), "it is a sidecar that goes on running")
		return
	}
	words, ok := s.words(field(item, "command"))
	if !ok {
		return
	}
	if len(words) == 0 {
		s.complain(item.Line, scalar(field(item, "name")), "it runs what its image starts, which can't be seen here: it has no command")
		return
	}
	args, ok := s.words(field(item, "args"))
	if !ok {
		return
	}
	s.exec(append(words, args...))
}

func (s *script) words(list *yaml.Node) (words []word, ok bool) {
	if list == nil {
		return nil, true
	}
	if list.Kind != yaml.SequenceNode {
		s.complain(list.Line, scalar(list), "it is no list")
		return nil, false
	}
	for _, n := range list.Content {
		if n.Kind != yaml.ScalarNode {
			s.complain(n.Line, "", "an element of the command is no string")
			return nil, false
		}
		words = append(words, word{node: n, text: n.Value})
	}
	return words, true
}

// exec reads a command as the kernel would start it: a shell with a script, sysctl, or something else.
func (s *script) exec(words []word) {
	first := words[0]
	name := path.Base(first.text)
	if name == "busybox" && len(words) > 1 {
		s.exec(words[1:])
		return
	}
	if language, ok := shells[name]; ok {
		s.shell(language, words)
		return
	}
	argv := make([]string, len(words))
	for i, w := range words {
		if strings.Contains(w.text, "$") {
			s.complain(w.node.Line, w.text, "it depends on a variable of the container")
			return
		}
		argv[i] = w.text
	}
	s.at = func(int) int { return first.node.Line }
	s.command(strings.Join(argv, " "), 1, argv, "", false)
}

// shell finds the script of "sh -c SCRIPT". What follows it are $0, $1 and so on, which a script that is understood doesn't use.
func (s *script) shell(language syntax.LangVariant, words []word) {
	for i := 1; i < len(words); i++ {
		options, isOption := strings.CutPrefix(words[i].text, "-")
		switch {
		case !isOption:
			s.complain(words[i].node.Line, words[i].text, "it runs a script file, which can't be seen here")
			return
		case strings.Trim(options, harmlessOptions+"c") != "" || options == "":
			s.complain(words[i].node.Line, words[i].text, "it is an option of the shell that is not understood")
			return
		case strings.Contains(options, "c") && i+1 < len(words):
			s.parse(language, words[i+1].node)
			return
		}
	}
	s.complain(words[0].node.Line, words[0].text, "the shell reads its commands from elsewhere: it has no -c")
}
