// Command go-client posts finished workflows the way a controller written in Go does: a struct with
// JSON tags, json.Marshal, net/http. The gateway has to take what comes out of that as it is.
//
//	go-client URL
//
// It prints what became of each event, one line of tab-separated name, status and body, and fails
// unless every status is 201.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const path = "/api/v1/audit/workflow-execution"

type execution struct {
	ID                  string        `json:"id"`
	RemediationID       string        `json:"remediation_id"`
	WorkflowName        string        `json:"workflow_name"`
	WorkflowVersion     string        `json:"workflow_version"`
	TotalSteps          int           `json:"total_steps"`
	StepsCompleted      int           `json:"steps_completed"`
	StepsFailed         int           `json:"steps_failed"`
	TotalDuration       time.Duration `json:"total_duration"`
	Outcome             string        `json:"outcome"`
	EffectivenessScore  float64       `json:"effectiveness_score"`
	RollbacksPerformed  int           `json:"rollbacks_performed"`
	StepExecutions      []step        `json:"step_executions"`
	AdaptiveAdjustments []adjustment  `json:"adaptive_adjustments"`
	CompletedAt         time.Time     `json:"completed_at"`
	Status              string        `json:"status"`
	ErrorMessage        string        `json:"error_message,omitempty"`
}

type step struct {
	StepNumber       int           `json:"step_number"`
	Action           string        `json:"action"`
	Duration         time.Duration `json:"duration"`
	Status           string        `json:"status"`
	RetriesAttempted int           `json:"retries_attempted"`
	ErrorMessage     string        `json:"error_message,omitempty"`
}

type adjustment struct {
	StepNumber     int       `json:"step_number"`
	AdjustmentType string    `json:"adjustment_type"`
	Reason         string    `json:"reason"`
	Timestamp      time.Time `json:"timestamp"`
}

// Everything a controller may leave out is left out.
func sparse() execution {
	return execution{
		WorkflowName:       "sparse",
		WorkflowVersion:    "v1",
		TotalSteps:         3,
		StepsCompleted:     3,
		Outcome:            "success",
		EffectivenessScore: 0.95,
	}
}

// Everything is filled in, with characters that json.Marshal escapes and a time in a zone.
func full() execution {
	zone := time.FixedZone("", 5*60*60+30*60)
	return execution{
		ID:                 "4a1f0f0e-5d0c-4b7e-9a55-0d5b8f0f6c11",
		RemediationID:      "rem <a> & b\u2028",
		WorkflowName:       "full",
		WorkflowVersion:    "v2",
		TotalSteps:         2,
		StepsCompleted:     1,
		StepsFailed:        1,
		TotalDuration:      90*time.Second + 1500*time.Nanosecond,
		Outcome:            "failed",
		EffectivenessScore: 0.30000000000000004,
		RollbacksPerformed: 1,
		StepExecutions: []step{
			{StepNumber: 1, Action: "drain-node", Duration: time.Minute, Status: "completed"},
			{StepNumber: 2, Action: "expand-volume", Status: "failed", RetriesAttempted: 3, ErrorMessage: "quota"},
		},
		AdaptiveAdjustments: []adjustment{
			{StepNumber: 2, AdjustmentType: "timeout", Reason: "p95"},
		},
		CompletedAt:  time.Date(2025, 3, 1, 15, 30, 0, 123456789, zone),
		Status:       "failed",
		ErrorMessage: "step 2 failed",
	}
}

func post(ctx context.Context, client *http.Client, url string, event execution) (int, string, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go-client URL")
		os.Exit(2)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	for _, event := range []execution{sparse(), full(), sparse()} {
		status, body, err := post(context.Background(), client, os.Args[1], event)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s\t%d\t%s\n", event.WorkflowName, status, body)
		if status != http.StatusCreated {
			os.Exit(1)
		}
	}
}
