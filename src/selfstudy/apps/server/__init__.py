"""The HTTP service and its page: parse, call the Engine, answer. Needs the extra `serve`"""
