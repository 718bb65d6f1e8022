// Messages in the terminal's languages, for what the engine itself writes: slips.

package service

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// A Speaker is a citizen whose language is known. A Citizen that is none gets slips in Chinese.
type Speaker interface {
	Language() string // "zh", "en"
}

// Messages are wordings by language and id.
type Messages map[string]map[string]string

// LoadMessages reads lang/*.service.json.
func LoadMessages(fsys fs.FS) (Messages, error) {
	m := Messages{}
	for _, l := range Languages {
		data, err := fs.ReadFile(fsys, "lang/"+l+".service.json")
		if err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		byID := map[string]string{}
		if err := json.Unmarshal(data, &byID); err != nil {
			return nil, fmt.Errorf("read messages in %q: %w", l, err)
		}
		m[l] = byID
	}
	return m, nil
}

// Say words a text: in the language asked for, else in Chinese, else whatever there is; an unknown id is shown as it is.
func (m Messages) Say(language string, t Text) string {
	if t.ID == "" {
		for _, l := range []string{language, "zh", "en"} {
			if w := t.Words[l]; w != "" {
				return w
			}
		}
		return ""
	}
	w, ok := m[language][t.ID]
	if !ok {
		if w, ok = m["zh"][t.ID]; !ok {
			return t.ID
		}
	}
	if len(t.Args)+len(t.Parts) == 0 {
		return w
	}
	pairs := make([]string, 0, 2*(len(t.Args)+len(t.Parts)))
	for k, v := range t.Args {
		pairs = append(pairs, "{"+k+"}", v)
	}
	for k, part := range t.Parts {
		pairs = append(pairs, "{"+k+"}", m.Say(language, part))
	}
	return strings.NewReplacer(pairs...).Replace(w)
}

// IsZero tells whether there is nothing to say.
func (t Text) IsZero() bool { return t.ID == "" && len(t.Words) == 0 }
