// kstatus prints what sigs.k8s.io/cli-utils/pkg/kstatus, and so Flux, Argo CD and others, make of objects.
//
// Standard input holds objects as JSON or YAML documents, lists among them. Standard output gets one line of JSON
// for each: {"kind", "name", "status": "InProgress" | "Failed" | "Current" | "Terminating" | "Unknown", "message"}.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := judgeAll(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func judgeAll(in io.Reader, out io.Writer) error {
	decoder := yaml.NewYAMLOrJSONDecoder(in, 1<<16)
	encoder := json.NewEncoder(out)
	for {
		document := json.RawMessage{}
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(document) == 0 || string(document) == "null" { // an empty document
			continue
		}
		// Its own decoder makes whole numbers of whole numbers, which kstatus insists on.
		object := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(document, &object.Object); err != nil {
			return err
		}
		if err := each(object, func(one *unstructured.Unstructured) error { return judge(one, encoder) }); err != nil {
			return err
		}
	}
}

func each(object *unstructured.Unstructured, do func(*unstructured.Unstructured) error) error {
	if !object.IsList() {
		return do(object)
	}
	list, err := object.ToList()
	if err != nil {
		return err
	}
	for i := range list.Items {
		if err := do(&list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func judge(object *unstructured.Unstructured, encoder *json.Encoder) error {
	result, err := status.Compute(object)
	if err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return encoder.Encode(verdict{object.GetKind(), object.GetName(), result.Status.String(), result.Message})
}
