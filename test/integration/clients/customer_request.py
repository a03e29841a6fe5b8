"""The customer's request, unchanged but for the host. usage: customer_request.py HOST:PORT"""
import sys

import requests

host = sys.argv[1]
response = requests.post(f"http://{host}/v1/completions", json={"model": "mistralai/Mistral-7B-v0.1", "prompt": "Explain photosynthesis in simple terms:", "max_tokens": 200, "temperature": 0.7, "stream": True}, stream=True)
response.raise_for_status()
for line in response.iter_lines():
    print(line.decode())
