// Where tests stop the process.

package service

// Points lists the places between what is written and what is done at which Config.Reached is called, in the order of a
// certificate's journey. The journal has points of its own inside every change.
var Points = []string{
	"commit.before",  // nothing on disk
	"commit.after",   // the case is open, nothing was asked of anybody
	"issue.before",   // before the platform is asked
	"issue.after",    // the document is in memory
	"keep.after",     // the document is in the case
	"print.acted",    // the printer has answered, the outcome is not written
	"receipt.acted",  // the slip printer has answered, the outcome is not written
	"deliver.before", // all outcomes are written, the paper is at the mouth
	"rate.after",     // the evaluation is written, the case is not closed
}
