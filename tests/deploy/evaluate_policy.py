"""Answer questions about IAM policies, as JSON from standard input. Runs in the environment of the local AWS, with its evaluator.

The local AWS does not take `dynamodb:LeadingKeys` from the requests that it gets; told of them, it knows what they mean.
"""

from __future__ import annotations

import json
import sys

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

if __name__ == "__main__":
    answers = []
    for question in json.load(sys.stdin):
        context = EvalContext(
            principal_arn="arn:aws:sts::000000000000:assumed-role/tried/tried",
            principal_type="AssumedRole",
            principal_account="000000000000",
            action=question["action"],
            resource_arn=question["resource"],
            region="us-east-1",
            service_context={name.lower(): values for name, values in question["keys"].items()},
        )
        policies = [parse_policy_document(policy) for policy in question["policies"]]
        answers.append(evaluate(context, policies).decision == "Allow")
    json.dump(answers, sys.stdout)
