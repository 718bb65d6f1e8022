package sim

// What can be wrong with a receipt printer.

var receiptFaults = []FaultInfo{
	{Name: "paper-near-end", About: "the roll is nearly at its end; printing goes on"},
	{Name: "paper-out", About: "no paper; clear puts a new roll in"},
	{Name: "paper-out-mid-job", Value: "mm of paper that are left", Default: 20, max: 100000, About: "the roll ends while it prints; clear puts a new roll in"},
	{Name: "cover-open", About: "the cover is open"},
	{Name: "cutter-error", About: "the cutter is stuck"},
	{Name: "overheated", About: "the head is too hot"},
	{Name: "jam", About: "paper is stuck in the presenter"},
	{Name: "offline", About: "switched off line at the panel"},
	{Name: "silent", About: "it prints and never answers"},
	{Name: "garbage-replies", About: "every answer is noise"},
	{Name: "slow", Value: "bytes a second", Default: 200, max: 100000, About: "it takes bytes slowly"},
	{Name: "stop-reading", About: "it takes no more bytes: a full buffer for ever"},
	{Name: "unplug", About: "the cable is pulled; clear puts it back"},
	{Name: "unplug-mid-job", Value: "bytes that still arrive", Default: 200, max: 1 << 24, About: "the cable is pulled while it receives; clear puts it back"},
	{Name: "power-cycle", About: "off and on again: what it had received is lost"},
}

// Fault breaks the printer; value "" takes the fault's default. See [Faults].
func (p *ReceiptPrinter) Fault(name, value string) error {
	n, err := p.faults.parse(name, value)
	if err != nil {
		return err
	}
	switch name {
	case "power-cycle":
		p.powerCycle()
		return p.cable.plug()
	case "unplug":
		p.cable.unplug()
	}
	p.change(func() {
		p.faults.set(name, n)
		switch name {
		case "paper-out-mid-job":
			p.paperLeft = n * dotsPerMM
		case "unplug-mid-job":
			p.received = 0
		}
	})
	return nil
}

// Clear mends one fault, or everything for "".
func (p *ReceiptPrinter) Clear(name string) error {
	if name != "" {
		if _, err := p.faults.parse(name, ""); err != nil {
			return err
		}
	}
	p.change(func() {
		if name == "" || name == "paper-out-mid-job" || name == "paper-out" {
			p.paperLeft = -1
		}
		p.faults.clear(name)
	})
	if name == "" || name == "unplug" || name == "unplug-mid-job" {
		return p.cable.plug()
	}
	return nil
}

// powerCycle forgets everything but the paper.
func (p *ReceiptPrinter) powerCycle() {
	p.cable.unplug()
	p.change(func() {
		p.buffer, p.full, p.asb = nil, false, 0
		p.resets++
	})
}
