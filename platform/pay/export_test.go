package pay

// Break breaks one rule, for the test that wants broken rules noticed.
func (r *Rules) Break(rule string) {
	switch rule {
	case "late payments are ignored":
		r.judge = r.judge[:len(r.judge)-1]
	case "second payments are kept":
		r.judge[1].use = UseKept
	case "any amount is right":
		r.judge = r.judge[1:]
	case "what crosses a cancelling is kept":
		r.judge[3].why = ""
	case "unknown to the channel means closed":
		for _, s := range []AttemptState{AttemptAsked, AttemptOpen, AttemptClosing} {
			r.attempts[s][eventAbsent] = AttemptClosed
		}
	case "a refused refund counts as done":
		r.refunds[RefundAsked][eventRefused] = RefundDone
	case "a refund under way counts as done":
		r.refunds[RefundAsked][eventWaiting] = RefundDone
	case "an expired bill counts as closed at once":
		r.bills[BillOpen][eventClose] = BillClosed
	case "a refund leaves the e-bill":
		delete(r.ebills[EBillIssued], eventBack)
	default:
		panic(rule)
	}
}

// Moves are the tables as rows "state event state", and the states that the code knows.
func (r Rules) Moves() (bills, attempts, refunds, ebills [][3]string) {
	return rows(r.bills), rows(r.attempts), rows(r.refunds), rows(r.ebills)
}

func rows[S ~string](t table[S]) (all [][3]string) {
	for s, by := range t {
		for e, to := range by {
			all = append(all, [3]string{string(s), e, string(to)})
		}
	}
	return all
}
