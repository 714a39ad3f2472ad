"""The command line, HTTP, MCP, LangChain and LlamaIndex: parse, call the Engine, show."""
