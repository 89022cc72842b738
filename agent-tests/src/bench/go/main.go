// Measures daemons that speak the process and file API, beside what the machine does without any of them, in one run.
//
//	bench [flags] NAME 'COMMAND with {port} and {state}' [NAME COMMAND]...
//	bench bare PORT      serve the yardstick: the barest daemon that answers most of this
//
// Every test runs as often as -rounds says, each daemon freshly started, one after the other; figures are medians.
// Client, daemons and floors share the machine: read the ratios, and processor time before wall clock. What a
// command prints is counted and must be complete, or the row says FAILED and the exit code is 1. Standard library only.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// A figure is one measured value; rows of a table have the same name in what daemons and floors return.
type figure struct {
	name, unit string
	value      float64
}

// A test returns what it measured before it failed, so that one protocol that fails leaves the others' rows.
type test struct {
	name, title string
	needs       []string // of the daemon; one that lacks any is left out
	options     []string // for the daemon, besides its command line
	once        bool     // long enough for one round
	run         func(*daemon) ([]figure, error)
	floor       func() ([]figure, error)
}

// What is measured by the side: its command line, and what it does not offer.
type contender struct {
	name, command string
	lacks         []string
}

func (c contender) offers(needs ...string) bool {
	for _, n := range needs {
		if slices.Contains(c.lacks, n) {
			return false
		}
	}
	return true
}

func main() {
	if len(os.Args) > 1 && helper(os.Args[1], os.Args[2:]) {
		return
	}
	rounds := flag.Int("rounds", 3, "rounds; figures are medians")
	only := flag.String("tests", "", "comma-separated tests; all without it")
	jsonFile := flag.String("json", "", "file that the figures are written to")
	page := flag.String("write", "", "Markdown file whose tables and chart are rewritten")
	jdk := flag.String("jdk", "", "command line of a JDK-only HTTP server with {port}: the floor of start-up and memory")
	image := flag.String("image", "", "directory of the image, to be weighed")
	archive := flag.String("archive", "", "tar.gz of the image, to be weighed")
	lacks := map[string][]string{"bare": {"attach", "native"}}
	flag.Func("lacks", "NAME=WHAT,WHAT…: what a daemon does not offer, of grpc, attach (Connect), files, native (sandpiper.v1)", func(s string) error {
		name, what, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("not NAME=WHAT")
		}
		lacks[name] = strings.Split(what, ",")
		return nil
	})
	flag.Parse()
	if flag.NArg() < 2 || flag.NArg()%2 != 0 {
		fmt.Fprintln(os.Stderr, "usage: bench [flags] NAME 'COMMAND with {port} and {state}' [NAME COMMAND]...")
		flag.PrintDefaults()
		os.Exit(2)
	}
	if *page != "" && *only != "" {
		fmt.Fprintln(os.Stderr, "-write wants a whole run, not -tests", *only)
		os.Exit(2)
	}
	var contenders []contender
	for i := 0; i < flag.NArg(); i += 2 {
		contenders = append(contenders, contender{flag.Arg(i), flag.Arg(i + 1), lacks[flag.Arg(i)]})
	}

	report := newReport(contenders, *rounds)
	began := time.Now()
	if *image != "" {
		report.weigh(contenders[len(contenders)-1].name, *image, *archive)
	}
	for _, t := range tests(*jdk) {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), t.name) {
			continue
		}
		n := *rounds
		if t.once {
			n = 1
		}
		for round := range n {
			var turns []func()
			if t.floor != nil {
				turns = append(turns, func() { report.add(t, "floor", t.floor) })
			}
			for _, c := range contenders {
				if c.offers(t.needs...) {
					turns = append(turns, func() {
						report.add(t, c.name, func() ([]figure, error) { return withDaemon(c, t.options, t.run) })
					})
				}
			}
			if round%2 == 0 { // so that nobody is always the first
				slices.Reverse(turns)
			}
			for _, turn := range turns {
				turn()
			}
		}
		report.print(os.Stdout, t)
	}
	report.Seconds = time.Since(began).Seconds()
	fmt.Printf("%d rounds in %.0f s on %s\n", *rounds, report.Seconds, report.Machine)
	if *jsonFile != "" {
		writeFile(*jsonFile, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			return e.Encode(report)
		})
	}
	if *page != "" {
		if err := rewrite(*page, report); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if len(report.Failures) > 0 {
		os.Exit(1)
	}
}

func writeFile(name string, write func(io.Writer) error) {
	f, err := os.Create(name)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Programs that this one starts of itself.
func helper(name string, args []string) bool {
	var err error
	switch name {
	case "bare":
		err = bare(args[0])
	case "relay-pipe":
		err = relayPipe(args[0])
	case "relay-file":
		err = relayFile(args[0])
	case "relay-upload":
		err = relayUpload(args[0])
	case "relay-records":
		err = relayRecords()
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(1)
	}
	return true
}
