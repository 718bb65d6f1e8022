// Package slip is a receipt as a document: blocks of text, rules, tables, codes and pictures, independent of the head
// that prints it.
//
// A [Slip] is laid out once by [Lay] into lines for a width in dots; the ESC/POS encoder turns lines into bytes, and
// [Draw] turns the same lines into a picture for tests and for the screen. The package imports nothing of ours.
package slip

import "image"

// Align places a block's content across the paper.
type Align int

// Alignments.
const (
	Left Align = iota
	Center
	Right
)

// A Slip is a document for a roll of paper.
type Slip struct {
	Blocks []Block
}

// A Block is one of [Text], [Rule], [Table], [QR], [Image], [Space].
type Block interface{ block() }

// Text is a paragraph. It wraps: Chinese at any character, Latin at spaces.
type Text struct {
	Text  string
	Align Align
	Bold  bool
	Size  int // 1 (24-dot Chinese) or 2 (doubled); 0 means 1
}

// Rule is a line across the paper.
type Rule struct{ Dashed bool }

// Table has rows of cells; a cell that does not fit its column wraps.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Column is a share of the width.
type Column struct {
	Share int // of the sum of all shares
	Align Align
}

// QR is a code; it carries no personal data.
type QR struct {
	Data    string
	Level   byte // 'L', 'M', 'Q', 'H'; 0 means 'M'
	Module  int  // dots per module, 3..16; 0 means 6
	Caption string
}

// Image is a picture, centred. Photo asks for dithering; without it the picture is cut at half grey.
type Image struct {
	Image image.Image
	Photo bool
}

// Space is empty paper, in dots.
type Space struct{ Dots int }

func (Text) block()  {}
func (Rule) block()  {}
func (Table) block() {}
func (QR) block()    {}
func (Image) block() {}
func (Space) block() {}
