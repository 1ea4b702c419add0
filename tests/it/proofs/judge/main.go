// Judges checkpoints and proofs with code that shares nothing with the server: Go's packages
// note and tlog, which verify the checksum database of Go modules, and the library of
// Certificate Transparency. Reads one JSON object per line, and answers each with a line: "ok",
// or what is wrong.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	// The root of a tree whose leaf with index n is n in eight bytes, big-endian.
	Tree *struct {
		Size int64
		Root tlog.Hash
	}
	Inclusion *struct {
		Record []byte
		Index  int64
		Size   int64
		Root   tlog.Hash
		Hashes []tlog.Hash
	}
	Consistency *struct {
		OldSize int64
		OldRoot tlog.Hash
		NewSize int64
		NewRoot tlog.Hash
		Hashes  []tlog.Hash
	}
	// A checkpoint, and what it must state.
	Note *struct {
		Note   string
		Key    string
		Origin string
		Size   int64
		Root   tlog.Hash
	}
	// A file in the format tlog-proof.
	File *struct {
		Text string
		Key  string
	}
}

// The hashes of the tree of synthetic leaves, which grows as it is asked for.
var stored []tlog.Hash

func readStored(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = stored[index]
	}
	return hashes, nil
}

func judgeTree(size int64, root tlog.Hash) error {
	for n := leaves; n < size; n++ {
		leaf := binary.BigEndian.AppendUint64(nil, uint64(n))
		hashes, err := tlog.StoredHashes(n, leaf, tlog.HashReaderFunc(readStored))
		if err != nil {
			return err
		}
		stored = append(stored, hashes...)
		leaves = n + 1
	}
	expected, err := tlog.TreeHash(size, tlog.HashReaderFunc(readStored))
	if err == nil && expected != root {
		err = fmt.Errorf("the root of %d leaves is %v, not %v", size, expected, root)
	}
	return err
}

var leaves int64

func slices(hashes []tlog.Hash) [][]byte {
	all := make([][]byte, len(hashes))
	for i := range hashes {
		all[i] = hashes[i][:]
	}
	return all
}

func judgeInclusion(record []byte, index, size int64, root tlog.Hash, hashes []tlog.Hash) error {
	leaf := tlog.RecordHash(record)
	return errors.Join(
		tlog.CheckRecord(hashes, size, root, index, leaf),
		proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf[:], slices(hashes), root[:]),
	)
}

func judgeNote(text, key string) (origin string, size int64, root tlog.Hash, err error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		err = errors.New("not a checkpoint of this log")
		return
	}
	origin = lines[0]
	if size, err = strconv.ParseInt(lines[1], 10, 64); err == nil {
		root, err = tlog.ParseHash(lines[2])
	}
	return
}

func judgeFile(text, key string) error {
	lines := strings.Split(text, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")
	decimal, hasIndex := strings.CutPrefix(lines[2], "index ")
	record, err := base64.StdEncoding.Strict().DecodeString(extra)
	if !hasExtra || !hasIndex || err != nil {
		return fmt.Errorf("no record or no index: %v", err)
	}
	index, err := strconv.ParseInt(decimal, 10, 64)
	if err != nil || strconv.FormatInt(index, 10) != decimal {
		return errors.New("not an index")
	}
	var hashes []tlog.Hash
	rest := lines[3:]
	for len(rest) > 0 && rest[0] != "" {
		hash, err := tlog.ParseHash(rest[0])
		if err != nil {
			return err
		}
		hashes, rest = append(hashes, hash), rest[1:]
	}
	if len(rest) == 0 {
		return errors.New("no checkpoint")
	}
	_, size, root, err := judgeNote(strings.Join(rest[1:], "\n"), key)
	if err != nil {
		return err
	}
	return judgeInclusion(record, index, size, root, hashes)
}

func judge(line []byte) error {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return err
	}
	switch {
	case q.Tree != nil:
		return judgeTree(q.Tree.Size, q.Tree.Root)
	case q.Inclusion != nil:
		i := q.Inclusion
		return judgeInclusion(i.Record, i.Index, i.Size, i.Root, i.Hashes)
	case q.Consistency != nil:
		c := q.Consistency
		return errors.Join(
			tlog.CheckTree(c.Hashes, c.NewSize, c.NewRoot, c.OldSize, c.OldRoot),
			proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(c.OldSize), uint64(c.NewSize), slices(c.Hashes), c.OldRoot[:], c.NewRoot[:]),
		)
	case q.Note != nil:
		origin, size, root, err := judgeNote(q.Note.Note, q.Note.Key)
		if err == nil && (origin != q.Note.Origin || size != q.Note.Size || root != q.Note.Root) {
			err = errors.New("the checkpoint states something else")
		}
		return err
	case q.File != nil:
		return judgeFile(q.File.Text, q.File.Key)
	}
	return errors.New("no question")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		verdict := "ok"
		if err := judge(lines.Bytes()); err != nil {
			verdict = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Fprintln(out, verdict)
	}
}
