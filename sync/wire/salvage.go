package wire

// Salvaged records in a file: what a lost board had not delivered, one sealed record in a line.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrSalvage: a file of salvaged records cannot be read.
var ErrSalvage = errors.New("not a file of salvaged records")

// maxSalvageLine is more than the largest sealed record takes as JSON.
const maxSalvageLine = 256 << 10

// ReadSalvage gives each record of a file to take, in the order of the file. A line that is none is [ErrSalvage] with its
// number; what was given before it was sound.
func ReadSalvage(r io.Reader, each func(SealedRecord) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxSalvageLine)
	n := 0
	for lines.Scan() {
		n++
		var s SealedRecord
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrSalvage, n, err)
		}
		if s.Seq == 0 || s.Terminal == "" {
			return fmt.Errorf("%w: line %d has no place", ErrSalvage, n)
		}
		if err := each(s); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: line %d: %w", ErrSalvage, n+1, err)
	}
	return nil
}
