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
	"path/filepath"
	"strconv"
	"strings"

	cosignature "github.com/transparency-dev/formats/note"
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
	// A checkpoint that all these witnesses cosigned at this time.
	Cosigned *struct {
		Note      string
		Key       string
		Witnesses []string
		Time      int64
	}
	// A directory in the format tlog-tiles.
	Tiles *tiles
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

func judgeCosigned(text, key string, witnesses []string, at int64) error {
	log, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	verifiers := []note.Verifier{log}
	for _, witness := range witnesses {
		verifier, err := cosignature.NewVerifierForCosignatureV1(witness)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != len(verifiers) || len(opened.UnverifiedSigs) > 0 {
		return errors.New("not all of them cosigned it")
	}
	for _, signature := range opened.Sigs {
		if signature.Name == log.Name() {
			continue
		}
		time, err := cosignature.CoSigV1Timestamp(signature)
		if err != nil || time.Unix() != at {
			return fmt.Errorf("cosigned at %v: %v", time, err)
		}
	}
	return nil
}

// A directory with a checkpoint, tiles and perhaps bundles of records.
type tiles struct {
	Directory string
	Key       string
	Entries   bool
	// The file with this path has these contents instead.
	Changed  string
	Contents []byte
}

func (t *tiles) read(path string) ([]byte, error) {
	if path == t.Changed {
		return t.Contents, nil
	}
	return os.ReadFile(filepath.Join(t.Directory, path))
}

func (t *tiles) Height() int { return 8 }

func (t *tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(all))
	for i, tile := range all {
		// The paths of Go's checksum database have the height.
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		var err error
		if contents[i], err = t.read(path); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tiles) judge() error {
	text, err := t.read("checkpoint")
	if err != nil {
		return err
	}
	_, size, root, err := judgeNote(string(text), t.Key)
	if err != nil {
		return err
	}
	if size == 0 {
		// Its package reads nothing of an empty tree.
		return nil
	}
	indexes := make([]int64, size)
	for n := range indexes {
		indexes[n] = tlog.StoredHashIndex(0, int64(n))
	}
	leaves, err := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, t).ReadHashes(indexes)
	if err != nil || !t.Entries {
		return err
	}
	for first := int64(0); first < size; first += 256 {
		tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(min(256, size-first))}
		bundle, err := t.read("tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/data/"))
		if err != nil {
			return err
		}
		for n := range tile.W {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return errors.New("a bundle is too short")
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaves[first+int64(n)] {
				return fmt.Errorf("record %d has another hash", first+int64(n))
			}
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			return errors.New("a bundle is too long")
		}
	}
	return nil
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
	case q.Cosigned != nil:
		return judgeCosigned(q.Cosigned.Note, q.Cosigned.Key, q.Cosigned.Witnesses, q.Cosigned.Time)
	case q.Tiles != nil:
		return q.Tiles.judge()
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
