"""What the pages say around the lessons, in each language."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "course": "Containers, by running them",
        "lead": "Twelve lessons in JupyterLab, on a real container engine. Predict, run the cell, and see.",
        "outputs": "The outputs on these pages are those of a real run; run the notebooks to get your own.",
        "lessons": "Lessons",
        "pictures": "Pictures from the lessons",
        "previous": "Back",
        "next": "On",
        "theme": "Light or dark",
        "skip": "To the lesson",
        "other": "한국어",
        "slides": "slides",
        "notebook": "The notebook",
        "hint": "Arrow keys: on and back. S: notes for the speaker. F: full screen. O: all slides.",
    },
    "ko": {
        "course": "직접 실행하며 배우는 컨테이너",
        "lead": "진짜 컨테이너 엔진으로 배우는 JupyterLab 수업 열두 과입니다. 예측하고, 실행하고, 확인합니다.",
        "outputs": "이 페이지의 출력은 실제로 실행한 결과입니다. 노트북을 실행하면 여러분의 결과를 얻습니다.",
        "lessons": "목차",
        "pictures": "수업에 나오는 그림",
        "previous": "이전",
        "next": "다음",
        "theme": "밝게 또는 어둡게",
        "skip": "본문으로",
        "other": "English",
        "slides": "슬라이드",
        "notebook": "노트북",
        "hint": "화살표 키: 앞뒤로. S: 발표자 노트. F: 전체 화면. O: 모든 슬라이드.",
    },
}
