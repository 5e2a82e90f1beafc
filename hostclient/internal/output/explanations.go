package output

import (
	"strings"

	"kata-sysctl/hostclient/internal/kubelet"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Explanations is the document of explain.
type Explanations struct {
	Head
	// Explanations has one element a word of the command line, in its order.
	Explanations []Explanation `json:"explanations"`
	// Error is null if all keys are there.
	Error *Error `json:"error"`
}

// Explanation is what is known of one key. See the message of the same name in sysctl.proto.
type Explanation struct {
	Entry
	FreshValue   *string     `json:"fresh_value"` // null if there is none
	GuestValue   *string     `json:"guest_value"` // null for a key without namespaces, or if it can't be read
	ScopeReason  string      `json:"scope_reason"`
	Type         string      `json:"type"`
	TypeInferred bool        `json:"type_inferred"`
	Unit         string      `json:"unit"`
	Meaning      string      `json:"meaning"`
	Source       string      `json:"source"`
	Since        string      `json:"since"`
	Module       string      `json:"module"`
	OneWay       string      `json:"one_way"`
	Loses        string      `json:"loses"`
	SideEffects  string      `json:"side_effects"`
	Volatile     string      `json:"volatile"`
	Moves        []string    `json:"moves"` // never null
	Policy       Ruling      `json:"policy"`
	Kubernetes   *Kubernetes `json:"kubernetes"` // null for a key that is not there
	Outcome      *Outcome    `json:"outcome"`    // null if no value was asked about
	Expected     string      `json:"expected"`   // what the kernel would show; empty if that is not known
}

// Ruling is what the policy says of a key.
type Ruling struct {
	Allowed bool   `json:"allowed"` // some value
	Rule    uint32 `json:"rule"`    // 0 if none matches
	Text    string `json:"text"`
}

// Kubernetes is what the kubelet says of a key in a pod's securityContext.
type Kubernetes struct {
	Verdict string `json:"verdict"` // safe unsafe impossible
	Reason  string `json:"reason"`
}

var _ Answer = (*Explanations)(nil)

// NewExplanations makes the document of explain.
func NewExplanations(head Head, explanations []*sysctlv1.Explanation, err *Error) *Explanations {
	d := &Explanations{Head: head, Explanations: make([]Explanation, 0, len(explanations)), Error: err}
	for _, e := range explanations {
		x := Explanation{
			Entry:        newEntry(e.GetEntry()),
			FreshValue:   e.GetEntry().FreshValue,
			GuestValue:   e.GuestValue,
			ScopeReason:  e.GetScopeReason(),
			Type:         e.GetType(),
			TypeInferred: e.GetTypeInferred(),
			Unit:         e.GetUnit(),
			Meaning:      e.GetMeaning(),
			Source:       e.GetSource(),
			Since:        e.GetSince(),
			Module:       e.GetModule(),
			OneWay:       e.GetOneWay(),
			Loses:        e.GetLoses(),
			SideEffects:  e.GetSideEffects(),
			Volatile:     e.GetVolatile(),
			Moves:        append([]string{}, e.GetMoves()...),
			Policy:       Ruling{Allowed: e.GetAllowed(), Rule: e.GetRule(), Text: e.GetRuling()},
			Expected:     e.GetExpected(),
		}
		if x.known() {
			scope := e.GetEntry().GetScope()
			verdict, why := kubelet.Of(x.Key, scope == sysctlv1.Scope_SCOPE_NET || scope == sysctlv1.Scope_SCOPE_IPC)
			x.Kubernetes = &Kubernetes{Verdict: string(verdict), Reason: why}
		}
		if e.GetOutcome() != nil {
			o := newOutcome(e.GetOutcome())
			x.Outcome = &o
		}
		d.Explanations = append(d.Explanations, x)
	}
	return d
}

// known reports whether the target has the key.
func (e *Explanation) known() bool { return e.Scope != "ABSENT" && e.Scope != "UNSPECIFIED" }

// text is a paragraph a key; with quiet, what would become of the values, or else the types.
func (d *Explanations) text(v View) string {
	if v.Quiet {
		return d.table(true).render(v.Color)
	}
	var paragraphs []string
	for i := range d.Explanations {
		e := &d.Explanations[i]
		paragraphs = append(paragraphs, Escape(e.Key)+"\n"+indent(lines(e.lines())))
	}
	return strings.Join(paragraphs, "\n")
}

// lines are what there is to say, by name.
func (e *Explanation) lines() [][2]string {
	var pairs [][2]string
	add := func(name, text string) {
		if text != "" {
			pairs = append(pairs, [2]string{name, text})
		}
	}
	add("meaning", e.Meaning)
	add("scope", e.Scope+because(e.ScopeReason))
	if e.known() || e.Reason != "" {
		add("value", e.values())
	}
	if e.known() || !e.TypeInferred {
		add("takes", e.takes())
	}
	if e.known() {
		add("policy", e.Policy.Text)
		add("Kubernetes", e.Kubernetes.Verdict+because(e.Kubernetes.Reason))
	}
	if e.Outcome != nil {
		add("= "+e.Outcome.Requested, e.verdict())
	}
	add("can't be undone", e.OneWay)
	add("destroys", e.Loses)
	add("also", e.SideEffects)
	add("may change", strings.Join(e.Moves, ", "))
	add("moves by itself", e.Volatile)
	add("since", e.Since)
	add("brought by", e.Module)
	add("source", e.Source)
	return pairs
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// values are the value here, in the guest's own namespaces, and in new ones or as the agent noted it first, as far as they differ.
func (e *Explanation) values() string {
	if e.Value == nil {
		return "(" + e.Reason + ")"
	}
	text := orEmpty(*e.Value)
	if e.GuestValue != nil && *e.GuestValue != *e.Value {
		text += "; the guest's own: " + orEmpty(*e.GuestValue)
	}
	if e.FreshValue != nil && *e.FreshValue != *e.Value {
		text += "; " + e.fresh() + ": " + orEmpty(*e.FreshValue)
	}
	if !e.Writable {
		text += " (read-only)"
	}
	return text
}

// fresh says by the scope of the key what its fresh value is.
func (e *Explanation) fresh() string {
	switch e.Scope {
	case "NET", "IPC", "UTS":
		return "a new namespace's"
	}
	return "as noted first"
}

// orEmpty makes an empty value visible.
func orEmpty(value string) string {
	if value == "" {
		return "(empty)"
	}
	return value
}

func (e *Explanation) takes() string {
	text := e.Type
	if e.Unit != "" {
		text += " (" + e.Unit + ")"
	}
	if e.TypeInferred && text != "" {
		text += "; inferred from the value, as the agent does not know the key"
	}
	return text
}

// verdict is what would become of the value.
func (e *Explanation) verdict() string {
	text := e.Outcome.Status + because(e.Outcome.Reason)
	if e.Expected != "" && e.Expected != e.Outcome.Requested {
		text += "; it reads " + e.Expected
	}
	for _, note := range e.Outcome.Notes {
		text += "; " + note
	}
	return text
}

// table is that of several agents.
func (d *Explanations) table(quiet bool) *table {
	t := &table{head: []string{"KEY", "SCOPE", "VALUE", "TAKES", statusColumn, "REASON"}, bare: quiet}
	for i := range d.Explanations {
		e := &d.Explanations[i]
		var status, reason string
		if e.Outcome != nil {
			status, reason = e.Outcome.Status, e.Outcome.Reason
		}
		if quiet {
			t.add(nil, e.Key, "", "", e.takes(), status, reason)
		} else {
			t.add(nil, e.Key, e.scopeCell, e.shown(), e.takes(), status, reason)
		}
	}
	return t
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
