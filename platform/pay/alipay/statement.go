package alipay

// The bill of a day: a ZIP with two files of text in GBK, the lines (业务明细) and their sums (汇总). The lines' file begins with remarks
// ("#"), then names its columns; values end in tabs and nothing is quoted, so that the name of what was sold may hold commas; a remark
// ends the list. Columns are found by their names.

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/outbound"
)

const (
	maxFiles   = 16
	maxColumns = 100
	maxLine    = 64 << 10
	maxLines   = 2_000_000
)

// maxText bounds what all files of a ZIP unpack to.
var maxText int64 = 512 << 20

// errNoList: a file of the bill that is not the one with the lines.
var errNoList = errors.New("alipay: statement has no list of lines")

func readStatement(file []byte) ([]pay.Line, error) {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil || len(z.File) > maxFiles {
		return nil, errors.New("alipay: statement is no ZIP, or has too many files")
	}
	left := maxText
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, errors.New("alipay: statement cannot be unpacked")
		}
		counted := &counter{r, &left}
		all, err := readLines(simplifiedchinese.GB18030.NewDecoder().Reader(counted))
		_ = r.Close()
		// A file's name is in GBK and not said to be: the lines' file is the one whose remarks say so.
		if !errors.Is(err, errNoList) {
			return all, err
		}
	}
	return nil, errNoList
}

// counter stops a reader that unpacks to more than is left for all.
type counter struct {
	io.Reader
	left *int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if *c.left -= int64(n); *c.left < 0 {
		return 0, outbound.ErrLong
	}
	return n, err
}

func readLines(text io.Reader) (all []pay.Line, err error) {
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var column columns
	listed, ended := false, false
	for lines.Scan() { // to the file's end, where its checksum is compared
		line := strings.TrimRight(lines.Text(), "\r")
		switch {
		case strings.HasPrefix(line, "#"):
			ended = ended || strings.Contains(line, "业务明细列表结束") && column.at != nil
			listed = listed || strings.Contains(line, "业务明细列表")
		case !listed:
			return nil, errNoList
		case ended:
		case column.at == nil:
			if column, err = readColumns(line); err != nil {
				return nil, err
			}
		default:
			l, err := column.line(strings.Split(line, ","))
			if err != nil {
				return nil, err
			}
			if all = append(all, l); len(all) > maxLines {
				return nil, errors.New("alipay: statement has too many lines")
			}
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, errors.New("alipay: statement cannot be unpacked, or is too long")
	case ended:
		return all, nil
	case listed:
		return nil, errors.New("alipay: statement ends before its list does")
	}
	return nil, errNoList
}

// columns are where a statement has what is read of it.
type columns struct {
	at     map[string]int
	number int
}

func readColumns(head string) (c columns, err error) {
	names := strings.Split(head, ",")
	if len(names) > maxColumns {
		return c, errors.New("alipay: statement has too many columns")
	}
	c.at, c.number = map[string]int{}, len(names)
	for i, name := range names {
		c.at[strings.Trim(name, " \t\uFEFF")] = i
	}
	for _, name := range []string{"支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "退款批次号/请求号"} {
		if _, there := c.at[name]; !there {
			return c, fmt.Errorf("alipay: statement has no column %s", name)
		}
	}
	return c, nil
}

// line reads a payment or a refund. Commas in the name of what was sold move all that stands after it.
func (c columns) line(row []string) (l pay.Line, err error) {
	more := len(row) - c.number
	if more < 0 || more > maxColumns {
		return l, errors.New("alipay: a line of the statement is too short or too long")
	}
	name, named := c.at["商品名称"]
	get := func(column string) string {
		i := c.at[column]
		if named && i > name {
			i += more
		}
		return strings.Clone(strings.Trim(row[i], " \t")) // a part of it would keep the whole line
	}
	l = pay.Line{Attempt: get("商户订单号"), Transaction: get("支付宝交易号")}
	if !pay.Plain(l.Transaction, 64) {
		return l, errors.New("alipay: a line of the statement has no number")
	}
	if !pay.Plain(l.Attempt, 64) { // money taken without an order
		l.Attempt, l.Odd = "", "no order"
	}
	kind := get("业务类型")
	if l.Odd == "" && kind != "交易" && kind != "退款" {
		l.Odd = fmt.Sprintf("%.40q", kind)
	}
	if l.Odd != "" {
		return l, nil
	}
	amount, bad := pay.ParseYuan(strings.TrimPrefix(get("订单金额（元）"), "-"))
	at, late := time.ParseInLocation(time.DateTime, get("完成时间"), pay.China)
	if late != nil || bad != nil || amount == 0 {
		if more > 0 { // the commas are elsewhere: where what stands is not known
			l.Odd = "too many commas"
			return l, nil
		}
		return l, errors.New("alipay: a line of the statement has no time or no amount")
	}
	l.At, l.Amount = at, amount
	if kind == "退款" {
		if l.Refund = get("退款批次号/请求号"); !pay.Plain(l.Refund, 64) { // by hand on Alipay's pages
			l.Refund, l.Odd = "", "refund without a number"
		}
	}
	return l, nil
}
