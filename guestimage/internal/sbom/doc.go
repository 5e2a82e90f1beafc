// Package sbom says what a bake has put into an image, as a CycloneDX document: the agent with the Go modules it was built from, and
// each file with its digest.
package sbom
