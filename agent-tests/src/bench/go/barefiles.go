package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// The yardstick's files: what net/http and os have for it, with nobody's rights, and nothing that makes a write whole or none.
func bareFiles(routes *http.ServeMux) {
	routes.HandleFunc("POST /filesystem.Filesystem/Stat", bareStat)
	routes.HandleFunc("POST /filesystem.Filesystem/ListDir", bareList)
	routes.HandleFunc("GET /files", func(w http.ResponseWriter, req *http.Request) {
		http.ServeFile(w, req, req.URL.Query().Get("path"))
	})
	routes.HandleFunc("POST /files", bareUpload)
}

type bareEntry struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	Path         string `json:"path"`
	Size         string `json:"size"`
	Mode         uint32 `json:"mode"`
	Permissions  string `json:"permissions"`
	ModifiedTime string `json:"modifiedTime"`
}

func newBareEntry(path string, info fs.FileInfo) bareEntry {
	kind := "FILE_TYPE_FILE"
	if info.IsDir() {
		kind = "FILE_TYPE_DIRECTORY"
	}
	return bareEntry{info.Name(), kind, path, strconv.FormatInt(info.Size(), 10), uint32(info.Mode().Perm()), info.Mode().String(),
		info.ModTime().UTC().Format("2006-01-02T15:04:05.000000000Z")}
}

func barePath(req *http.Request) string {
	var m struct{ Path string }
	json.NewDecoder(req.Body).Decode(&m)
	return m.Path
}

func bareAnswers(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

func bareStat(w http.ResponseWriter, req *http.Request) {
	path := barePath(req)
	info, err := os.Lstat(path)
	if err != nil {
		http.Error(w, err.Error(), 404)
		return
	}
	bareAnswers(w, map[string]bareEntry{"entry": newBareEntry(path, info)})
}

func bareList(w http.ResponseWriter, req *http.Request) {
	path := barePath(req)
	found, err := os.ReadDir(path)
	if err != nil {
		http.Error(w, err.Error(), 404)
		return
	}
	entries := make([]bareEntry, 0, len(found))
	for _, f := range found {
		if info, err := f.Info(); err == nil {
			entries = append(entries, newBareEntry(path+"/"+f.Name(), info))
		}
	}
	bareAnswers(w, map[string][]bareEntry{"entries": entries})
}

func bareUpload(w http.ResponseWriter, req *http.Request) {
	path := req.URL.Query().Get("path")
	f, err := os.Create(path)
	if err != nil {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			f, err = os.Create(path)
		}
	}
	if err == nil {
		_, err = io.Copy(f, req.Body)
		f.Close()
	}
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	bareAnswers(w, []map[string]string{{"path": path}})
}
