package wechat

// The bill of a day: UTF-8 text, a line each; the head names the columns, with commas between; values stand after back quotes, with
// commas between, and nothing is quoted: the words of an order may hold commas and quotes themselves. At the end stand a head
// and a line of sums. Columns are found by their names; there are more than are read.

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

const (
	maxLines   = 2_000_000
	maxColumns = 100
	maxLine    = 64 << 10
)

// columns are where a statement has what is read of it. An older layout, without 订单金额 and 申请退款金额, is refused.
type columns struct {
	at     map[string]int
	number int
	free   int // the last column with words that we do not choose; those after it are counted from the line's end
}

func (c columns) get(row []string, name string) string {
	i := c.at[name]
	if i > c.free {
		i += len(row) - c.number
	}
	return strings.TrimSpace(row[i])
}

func readColumns(head string) (c columns, err error) {
	names := strings.Split(head, ",")
	if len(names) > maxColumns {
		return c, errors.New("wechat: statement has too many columns")
	}
	c.at, c.number, c.free = map[string]int{}, len(names), len(names)
	for i, name := range names {
		name = strings.Trim(name, " `")
		if _, twice := c.at[name]; twice {
			return c, fmt.Errorf("wechat: statement has the column %.40q twice", name)
		}
		c.at[name] = i
	}
	for _, name := range []string{"交易时间", "微信订单号", "商户订单号", "交易状态", "货币种类", "商户退款单号", "退款状态", "订单金额", "申请退款金额"} {
		if _, there := c.at[name]; !there {
			return c, fmt.Errorf("wechat: statement has no column %s", name)
		}
	}
	for _, name := range []string{"商品名称", "商户数据包"} {
		if i, there := c.at[name]; there {
			c.free = i
		}
	}
	return c, nil
}

func readStatement(file []byte) (all []pay.Line, err error) {
	rest := bytes.TrimPrefix(file, []byte("\uFEFF"))
	next := func() string {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if len(line) > maxLine {
			return "" // an error wherever it is asked for
		}
		return strings.TrimSpace(string(line))
	}
	column, err := readColumns(next())
	if err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		line := next()
		if strings.HasPrefix(strings.TrimPrefix(line, "`"), "总交易单数,") {
			if sums := next(); !strings.HasPrefix(sums, "`") || len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("wechat: statement ends before its sums, or goes on after them")
			}
			return all, nil
		}
		row := strings.Split(line, ",`")
		if !strings.HasPrefix(line, "`") || len(row) < column.number || len(row) > 2*maxColumns || len(all) >= maxLines {
			return nil, errors.New("wechat: a line of the statement is too short or too long, or there are too many")
		}
		row[0] = row[0][1:]
		l, skip, err := readLine(column, row)
		if err != nil {
			return nil, err
		}
		if !skip {
			all = append(all, l)
		}
	}
	return nil, errors.New("wechat: statement ends before its sums")
}

// readLine reads a payment or a refund. A refund stands in the statement of the day it was accepted, with the state of then: it counts
// when it is done, and is asked about until it is.
func readLine(column columns, row []string) (l pay.Line, skip bool, err error) {
	get := func(name string) string { return strings.Clone(column.get(row, name)) } // a part of it would keep the whole line
	l = pay.Line{Attempt: get("商户订单号"), Transaction: get("微信订单号")}
	amount := get("订单金额")
	switch state := get("交易状态"); state {
	case "SUCCESS":
	case "REFUND":
		if get("退款状态") != "SUCCESS" {
			return l, true, nil
		}
		l.Refund, amount = get("商户退款单号"), get("申请退款金额")
		if !pay.Plain(l.Refund, 64) {
			return l, false, errors.New("wechat: a refund of the statement has no number")
		}
	case "REVOKED": // of payment codes only, which we do not use
		return l, true, nil
	default:
		l.Odd = fmt.Sprintf("%.40q", state)
	}
	if !pay.Plain(l.Transaction, 64) {
		return l, false, errors.New("wechat: a line of the statement has no number")
	}
	if !pay.Plain(l.Attempt, 64) { // money taken without an order, as by a code on a wall
		l.Attempt, l.Odd = "", "no order"
	}
	if l.At, err = time.ParseInLocation(time.DateTime, get("交易时间"), pay.China); err != nil {
		return l, false, errors.New("wechat: a line of the statement has no time")
	}
	if l.Odd == "" && get("货币种类") != "CNY" {
		l.Odd = fmt.Sprintf("%.10q", get("货币种类"))
	}
	if l.Odd != "" {
		return l, false, nil
	}
	if l.Amount, err = pay.ParseYuan(amount); err != nil || l.Amount == 0 {
		return l, false, errors.New("wechat: a line of the statement has no amount in yuan")
	}
	return l, false, nil
}
