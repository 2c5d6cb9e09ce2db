module github.com/kubernaut/kubernaut-audit/tests/go-client

go 1.21
