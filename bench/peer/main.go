// The plain Go program that packs are measured against: it hashes every artifact of a pack with two
// goroutines and compares it with the manifest, and checks nothing else.
package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

type manifest struct {
	Artifacts []struct {
		Path   string `json:"path"`
		Digest string `json:"digest"`
	} `json:"artifacts"`
}

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(path string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer archive.Close()
	expected, err := digests(archive)
	if err != nil {
		return err
	}
	files := make(chan *zip.File)
	failures := make(chan error, len(archive.File))
	var workers sync.WaitGroup
	for range 2 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for file := range files {
				found, err := digest(file)
				if err == nil && found != expected[file.Name] {
					err = fmt.Errorf("%s: wrong digest", file.Name)
				}
				if err != nil {
					failures <- err
				}
			}
		}()
	}
	for _, file := range archive.File {
		if _, listed := expected[file.Name]; listed {
			files <- file
		}
	}
	close(files)
	workers.Wait()
	close(failures)
	return <-failures
}

func digests(archive *zip.ReadCloser) (map[string]string, error) {
	file, err := archive.Open("manifest.json")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var parsed manifest
	if err := json.NewDecoder(file).Decode(&parsed); err != nil {
		return nil, err
	}
	found := make(map[string]string, len(parsed.Artifacts))
	for _, artifact := range parsed.Artifacts {
		found[artifact.Path] = artifact.Digest
	}
	return found, nil
}

func digest(file *zip.File) (string, error) {
	content, err := file.Open()
	if err != nil {
		return "", err
	}
	defer content.Close()
	hasher := sha256.New()
	if _, err := io.Copy(hasher, content); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hasher.Sum(nil)), nil
}
