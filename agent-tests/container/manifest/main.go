// Reads Kubernetes manifests from standard input as the API's own types, strictly: a field that does not exist, a value of
// another type, or a field that is there twice, is an error.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	all, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	for _, document := range bytes.Split(all, []byte("\n---\n")) {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &kind); err != nil {
			fail(err)
		}
		var object any
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Pod":
			object = &corev1.Pod{}
		case "v1 Secret":
			object = &corev1.Secret{}
		default:
			fail(fmt.Errorf("unknown kind %+v", kind))
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			fail(fmt.Errorf("%s: %w", kind.Kind, err))
		}
		fmt.Println("ok   ", kind.Kind)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
