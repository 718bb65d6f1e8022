package ui

// Words: the language files, merged, and looked up while the terminal runs.

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/budayang/kiosk/service"
)

// LoadWords merges every "<language>.<room>.json" of a directory; an id given twice is an error.
func LoadWords(files fs.FS, dir string) (service.Messages, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	all := service.Messages{}
	for _, n := range names {
		lang, _, _ := strings.Cut(path.Base(n), ".")
		b, err := fs.ReadFile(files, n)
		if err != nil {
			return nil, fmt.Errorf("words: %w", err)
		}
		var one map[string]string
		if err := json.Unmarshal(b, &one); err != nil {
			return nil, fmt.Errorf("words: %s: %w", n, err)
		}
		if all[lang] == nil {
			all[lang] = map[string]string{}
		}
		for id, text := range one {
			if _, twice := all[lang][id]; twice {
				return nil, fmt.Errorf("words: %s: %q stands in another file too", n, id)
			}
			all[lang][id] = text
		}
	}
	if len(all["zh"]) == 0 {
		return nil, fmt.Errorf("words: no Chinese under %s", dir)
	}
	return all, nil
}
