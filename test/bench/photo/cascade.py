# OpenCV's cascades over pictures: for each cascade and picture the boxes and the processor time in milliseconds, as JSON.
#
#   cascade.py ROUNDS CASCADE.xml... -- PICTURE.ppm...
import json
import sys
import time

import cv2

cv2.setNumThreads(1)
rounds = int(sys.argv[1])
split = sys.argv.index("--")
out = []
for path in sys.argv[2:split]:
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        sys.exit("cascade.py: no cascade in " + path)
    for picture in sys.argv[split + 1:]:
        m = cv2.imread(picture)
        if m is None:
            sys.exit("cascade.py: no picture in " + picture)
        begun = time.process_time()
        for _ in range(rounds):
            grey = cv2.equalizeHist(cv2.cvtColor(m, cv2.COLOR_BGR2GRAY))
            # At least as large as the smallest face that package photo would take.
            boxes = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=3, minSize=(60, 60))
        out.append({"cascade": path, "picture": picture, "ms": (time.process_time() - begun) * 1000 / rounds,
                    "boxes": [[int(v) for v in b] for b in boxes]})
json.dump(out, sys.stdout)
