"""The states of workflows, as the own node reduces them from the steps it holds."""

import grpc

from paiza.officer.v1 import workflow_pb2, workflow_pb2_grpc
from paiza_officer import channel
from paiza_officer.errors import NotProven

MAX_LISTED = 200  # the most the node gives at once
MAX_PAGES = 500  # of one board: a node that lies gives pages without end


class Workflows:
    """The session's calls for workflows. The answers are the protocol's own records (`workflow.proto`)."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call) -> None:
        self._stub = workflow_pb2_grpc.WorkflowServiceStub(connection)
        self._call = call

    async def board(self, workflow: str = "", *, over_too: bool = False) -> list[workflow_pb2.WorkflowStatus]:
        """Return every workflow that is not over (or all), the most recently moved first."""
        scope = workflow_pb2.WORKFLOW_SCOPE_ALL if over_too else workflow_pb2.WORKFLOW_SCOPE_LIVE
        found: list[workflow_pb2.WorkflowStatus] = []
        token = ""
        for _ in range(MAX_PAGES):
            request = workflow_pb2.ListWorkflowsRequest(
                scope=scope, workflow=workflow, page_size=MAX_LISTED, page_token=token
            )
            answer: workflow_pb2.ListWorkflowsResponse = await self._list(request)
            found.extend(answer.workflows)
            token = answer.next_page_token
            if not token:
                return found
        raise NotProven("unexpected_answer", "ListWorkflows", "the node gives pages without end")

    async def get(self, *, thread_id: bytes = b"", thread_name: str = "") -> workflow_pb2.GetWorkflowResponse:
        """Return one workflow with every step, and what the next step must name."""
        request = workflow_pb2.GetWorkflowRequest()
        if thread_id:
            request.thread_id = thread_id
        else:
            request.thread_name = thread_name
        answer: workflow_pb2.GetWorkflowResponse = await self._call(
            lambda: self._stub.GetWorkflow(request, timeout=channel.CALL_SECONDS)
        )
        return answer

    async def _list(self, request: workflow_pb2.ListWorkflowsRequest) -> workflow_pb2.ListWorkflowsResponse:
        answer: workflow_pb2.ListWorkflowsResponse = await self._call(
            lambda: self._stub.ListWorkflows(request, timeout=channel.CALL_SECONDS)
        )
        return answer
