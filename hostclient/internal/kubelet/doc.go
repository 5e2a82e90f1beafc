// Package kubelet knows what Kubernetes does with a sysctl of a pod's securityContext.
package kubelet
