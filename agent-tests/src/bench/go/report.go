package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// All figures of a run. It is what -json writes.
type report struct {
	Machine   string
	Date      string
	Rounds    int
	Seconds   float64
	Names     []string // of the daemons; the floor is "floor" in rows
	Rows      []*row
	Failures  []failure
	byRow     map[string]*row
	testNames []test
}

type row struct {
	Test, Name, Unit string
	Values           map[string]float64   // medians
	Samples          map[string][]float64 // of each round
}

type failure struct{ Test, Who, Why string }

func newReport(contenders []contender, rounds int) *report {
	r := &report{Machine: machine(), Date: time.Now().Format(time.DateOnly), Rounds: rounds, byRow: map[string]*row{}}
	for _, c := range contenders {
		r.Names = append(r.Names, c.name)
	}
	return r
}

func machine() string {
	var u syscall.Utsname
	syscall.Uname(&u)
	release := make([]byte, 0, len(u.Release))
	for _, c := range u.Release {
		if c == 0 || c == '-' { // what follows names a distribution's build
			break
		}
		release = append(release, byte(c))
	}
	model := "unknown processor"
	b, _ := os.ReadFile("/proc/cpuinfo")
	n := 0
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "processor":
			n++
		}
	}
	return fmt.Sprintf("%d × %s, Linux %s", n, model, release)
}

func (r *report) add(t test, who string, run func() ([]figure, error)) {
	if !slices.ContainsFunc(r.testNames, func(o test) bool { return o.name == t.name }) {
		r.testNames = append(r.testNames, t)
	}
	figures, err := run()
	for _, f := range figures {
		r.figure(t.name, who, f)
	}
	if err != nil {
		r.Failures = append(r.Failures, failure{t.name, who, err.Error()})
	}
}

func (r *report) figure(test, who string, f figure) {
	key := test + "/" + f.name
	w := r.byRow[key]
	if w == nil {
		w = &row{test, f.name, f.unit, map[string]float64{}, map[string][]float64{}}
		r.byRow[key] = w
		r.Rows = append(r.Rows, w)
	}
	w.Samples[who] = append(w.Samples[who], f.value)
	sorted := slices.Sorted(slices.Values(w.Samples[who]))
	w.Values[who] = sorted[len(sorted)/2]
}

func (r *report) failed(test, who string) bool {
	return slices.ContainsFunc(r.Failures, func(f failure) bool { return f.Test == test && f.Who == who })
}

func (r *report) weigh(name, image, archive string) {
	var bytes int64
	filepath.WalkDir(image, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if i, err := e.Info(); err == nil {
				bytes += i.Size()
			}
		}
		return nil
	})
	r.figure("image", name, figure{"unpacked", "MB", float64(bytes) / 1e6})
	if i, err := os.Stat(archive); err == nil {
		r.figure("image", name, figure{"tar.gz", "MB", float64(i.Size()) / 1e6})
	}
	t := test{name: "image", title: "Image on the disk"}
	r.testNames = append(r.testNames, t)
	r.print(os.Stdout, t)
}

// Three significant digits, and no exponent.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// The cells of a row: floor, daemons, and the ratio of the last daemon to the floor and to the first.
func (r *report) cells(w *row) []string {
	cell := func(who string) string {
		if v, ok := w.Values[who]; ok {
			return number(v)
		}
		if r.failed(w.Test, who) {
			return "FAILED"
		}
		return "–"
	}
	ratio := func(to string) string {
		v, ok := w.Values[r.last()]
		if base := w.Values[to]; ok && base > 0 && to != r.last() {
			return fmt.Sprintf("%.2f×", v/base)
		}
		return "–"
	}
	out := []string{w.Name, w.Unit, cell("floor")}
	for _, n := range r.Names {
		out = append(out, cell(n))
	}
	return append(out, ratio("floor"), ratio(r.Names[0]))
}

func (r *report) last() string { return r.Names[len(r.Names)-1] }

func (r *report) header() []string {
	return append(append([]string{"", "", "floor"}, r.Names...), "× floor", "× "+r.Names[0])
}

func (r *report) print(out io.Writer, t test) {
	fmt.Fprintf(out, "%s: %s\n", t.name, t.title)
	lines := [][]string{r.header()}
	for _, w := range r.Rows {
		if w.Test == t.name {
			lines = append(lines, r.cells(w))
		}
	}
	for _, line := range lines {
		fmt.Fprintf(out, "  %-38s %-6s", line[0], line[1])
		for _, c := range line[2:] {
			fmt.Fprintf(out, " %10s", c)
		}
		fmt.Fprintln(out)
	}
	for _, f := range r.Failures {
		if f.Test == t.name {
			fmt.Fprintf(out, "  FAILED: %s: %s\n", f.Who, f.Why)
		}
	}
	fmt.Fprintln(out)
}
