// Reads packs with Go's archive/zip: paths on standard input, one JSON object for each on standard
// output, the SHA-256 of every file by its name, or the error that stopped it.
package main

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func read(path string) (map[string]string, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	found := map[string]string{}
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, "/") {
			continue
		}
		content, err := entry.Open()
		if err != nil {
			return nil, err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, content)
		content.Close()
		if err != nil {
			return nil, err
		}
		found[entry.Name] = hex.EncodeToString(hash.Sum(nil))
	}
	return found, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		found, err := read(lines.Text())
		if err != nil {
			found = map[string]string{"error": err.Error()}
		}
		line, _ := json.Marshal(found)
		fmt.Println(string(line))
	}
}
