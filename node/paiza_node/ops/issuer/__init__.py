"""The issuer: certifies the member's officers and node, as another system user than the node's."""
